/**
 * The way in: requests are written one behind the other into one buffer, and handed over with one native call a turn, or
 * with one for each dozen kilobytes: what the native side has, it sends while this side still encodes. Order is kept. The
 * buffer grows with the largest request, and shrinks again.
 */
import type { Encoded } from './codec';
import { RequestFloat, RequestWord, type Op } from './native';
import { textBuffer, type TextBuffer } from './text';

export interface Request {
  readonly op: Op;
  readonly namespaceId: number;
  readonly key: string;
  readonly value?: Encoded;
  /** As `encodeTags` makes them. */
  readonly tags?: Uint8Array | null;
  readonly flags?: number;
  /** Milliseconds; `Infinity` = never. */
  readonly ttl?: number;
  readonly grace?: number;
  readonly lease?: number;
  /** Milliseconds in L0 and L1, if not `ttl`. */
  readonly memoryTtl?: number;
}

/** Hands over `count` requests in the first `bytes` bytes. */
export type Submit = (requests: Uint8Array, bytes: number, count: number) => void;

const SMALL = 16 << 10;
/** So much is handed over before the turn ends: some three dozen small values, half of what 64 callers write. */
const ENOUGH = 12 << 10;
/** Letters of a key that is written letter by letter. */
const SHORT = 12;
/** A buffer that has grown beyond this is not kept. */
const LARGE = 1 << 20;

export class RequestRing {
  private buffer: TextBuffer = textBuffer(new ArrayBuffer(SMALL));
  private words = new Int32Array(this.buffer.buffer);
  private floats = new Float64Array(this.buffer.buffer);
  private end = 0;
  private count = 0;

  constructor(
    private readonly headerBytes: number,
    private readonly submit: Submit,
    /** Calls `flush` when this turn's code has run. */
    private readonly schedule: () => void,
  ) {}

  /** Whether requests wait to be handed over. */
  get pending(): boolean {
    return this.count !== 0;
  }

  write(requestId: number, request: Request): void {
    const { key, value, tags } = request;
    const start = this.end;
    this.reserve(start + this.headerBytes + 3 * key.length + mostBytes(value) + (tags?.length ?? 0) + 8);

    let at = start + this.headerBytes;
    const keyBytes = writeKey(this.buffer, key, at);
    at += keyBytes;
    const valueBytes = value === undefined ? 0 : this.put(value, at);
    at += valueBytes;
    if (tags) this.buffer.set(tags, at);

    const word = start >> 2;
    this.words[word + RequestWord.Op] = request.op;
    this.words[word + RequestWord.RequestId] = requestId;
    this.words[word + RequestWord.NamespaceId] = request.namespaceId;
    this.words[word + RequestWord.KeyBytes] = keyBytes;
    this.words[word + RequestWord.ValueBytes] = valueBytes;
    this.words[word + RequestWord.TagBytes] = tags?.length ?? 0;
    this.words[word + RequestWord.Flags] = request.flags ?? 0;
    const float = start >> 3;
    this.floats[float + RequestFloat.Ttl] = request.ttl ?? Infinity;
    this.floats[float + RequestFloat.Grace] = request.grace ?? 0;
    this.floats[float + RequestFloat.Lease] = request.lease ?? 0;
    this.floats[float + RequestFloat.MemoryTtl] = request.memoryTtl ?? -1;

    this.end = (at + (tags?.length ?? 0) + 7) & ~7;
    if (this.count++ === 0) this.schedule();
    if (this.end >= ENOUGH) this.flush();
  }

  /** Hands over what was written, if anything. */
  flush(): void {
    if (this.count === 0) return;
    const { buffer, end, count } = this;
    this.end = this.count = 0;
    // The engine copies what it needs during the call, so that the buffer is free again behind it.
    this.submit(buffer, end, count);
    if (this.buffer.length > LARGE && this.end === 0) this.replace(SMALL);
  }

  private put(value: Encoded, at: number): number {
    if (typeof value === 'string') return this.buffer.utf8Write(value, at, this.buffer.length - at);
    this.buffer.set(value, at);
    return value.length;
  }

  private reserve(bytes: number): void {
    if (bytes <= this.buffer.length) return;
    const old = this.buffer;
    this.replace(Math.max(bytes, 2 * old.length));
    this.buffer.set(old.subarray(0, this.end));
  }

  private replace(bytes: number): void {
    this.buffer = textBuffer(new ArrayBuffer((bytes + 7) & ~7));
    this.words = new Int32Array(this.buffer.buffer);
    this.floats = new Float64Array(this.buffer.buffer);
  }
}

/** A short key is written here: the call that writes any text takes 90 ns, a loop over eight letters 40. */
function writeKey(buffer: TextBuffer, key: string, at: number): number {
  const { length } = key;
  let index = 0;
  if (length <= SHORT) {
    for (; index < length; index++) {
      const unit = key.charCodeAt(index);
      if (unit > 0x7f) break;
      buffer[at + index] = unit;
    }
    if (index === length) return length;
  }
  return buffer.utf8Write(key, at, 3 * length);
}

/** A large text is counted rather than given three bytes a unit. */
function mostBytes(value: Encoded | undefined): number {
  if (value === undefined) return 0;
  if (typeof value !== 'string') return value.byteLength;
  return value.length < SMALL ? 3 * value.length : Buffer.byteLength(value);
}
