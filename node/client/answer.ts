/** Reads an answer of the engine where it lies: of `read`, or one completion of a drain. */
import { Letters, type Codec } from './codec';
import { Flag, Word, type Status } from './native';
import { decodeTags } from './tags';
import { textBuffer, type TextBuffer } from './text';

/** Fetches a value that did not fit into the buffer. */
export type TakeLarge = (requestId: number) => Uint8Array;

/** A cursor over a buffer that the engine fills. Valid until the engine fills it again: nobody may keep it. */
export class Answer {
  private readonly words: Int32Array;
  private readonly floats: Float64Array;
  private readonly bytes: TextBuffer;
  /** Where the answer begins: index of its first word. */
  private start = 0;

  constructor(
    memory: ArrayBuffer,
    private readonly headerBytes: number,
    private readonly takeLarge: TakeLarge,
  ) {
    this.words = new Int32Array(memory);
    this.floats = new Float64Array(memory);
    this.bytes = textBuffer(memory);
  }

  moveTo(byteOffset: number): void {
    this.start = byteOffset >> 2;
  }

  word(word: Word): number {
    return this.words[this.start + word]!;
  }

  get status(): Status {
    return this.word(Word.Status);
  }

  has(flag: Flag): boolean {
    return (this.word(Word.Flags) & flag) !== 0;
  }

  /** 0 = none. */
  get lease(): number {
    return this.floats[(this.start + Word.Lease) >> 1]!;
  }

  /** Length of the whole answer, a multiple of eight. */
  get length(): number {
    const value = this.has(Flag.Large) ? 0 : this.word(Word.ValueBytes);
    return (this.valueStart - this.start * 4 + value + this.word(Word.TagNameBytes) + 7) & ~7;
  }

  /** (mirror index, captured generation) of each tag; `null` for none. */
  tagPairs(): Int32Array | null {
    const pairs = this.word(Word.TagPairs);
    if (pairs === 0) return null;
    const from = this.start + (this.headerBytes >> 2);
    return this.words.slice(from, from + 2 * pairs);
  }

  /** Throws when the bytes are damaged or of another encoding. */
  decode(codec: Codec): unknown {
    if (this.has(Flag.Large)) {
      const large = this.large();
      return codec.decode(large, 0, large.length, this.letters);
    }
    const start = this.valueStart;
    return codec.decode(this.bytes, start, start + this.word(Word.ValueBytes), this.letters);
  }

  /** The value's bytes, in place where possible: copy what must outlive the answer. */
  value(): Buffer {
    if (this.has(Flag.Large)) return this.large();
    const start = this.valueStart;
    return this.bytes.subarray(start, start + this.word(Word.ValueBytes));
  }

  tagNames(): string[] {
    const start = this.valueStart + (this.has(Flag.Large) ? 0 : this.word(Word.ValueBytes));
    return decodeTags(this.bytes, start, start + this.word(Word.TagNameBytes));
  }

  private get letters(): Letters {
    if (this.has(Flag.Plain)) return Letters.Plain;
    return this.has(Flag.Ascii) ? Letters.Ascii : Letters.Any;
  }

  private get valueStart(): number {
    return this.start * 4 + this.headerBytes + 8 * this.word(Word.TagPairs);
  }

  private large(): TextBuffer {
    const large = this.takeLarge(this.word(Word.RequestId));
    return textBuffer(large.buffer, large.byteOffset, large.byteLength);
  }
}
