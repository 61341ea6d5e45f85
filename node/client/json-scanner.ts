/** Reads single JSON values where they lie, for decoders that know what comes next. It never throws: it stops. */
import { textBuffer, type TextBuffer } from './text';

const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
/**
 * So many digits are a whole number below 2^53. Divided by a power of ten that is exact as well, the result is the nearest
 * double (Clinger, "How to read floating point numbers accurately", 1990).
 */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

export class JsonScanner {
  /** Where to read next. */
  at = 0;
  /** Something else came than a whole value: what was read is worth nothing. */
  hasStopped = false;

  /** Of the bytes that it reads. */
  view: DataView = new DataView(new ArrayBuffer(0));

  private bytes = textBuffer(new ArrayBuffer(0));
  private start = 0;
  private end = 0;
  /** The bytes as Latin-1: one unit a byte, so that indexes are the same. */
  private text = '';
  private isPlain = false;

  /** `isPlain`: the text is ASCII without control characters and without a backslash. */
  begin(bytes: TextBuffer, start: number, end: number, text: string, isPlain: boolean): void {
    this.at = start;
    this.hasStopped = false;
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.start = start;
    this.end = end;
    this.text = text;
    this.isPlain = isPlain;
  }

  /** A string, a number, `true`, `false` or `null`; no spaces before it. */
  primitive(): unknown {
    switch (this.bytes[this.at]) {
      case QUOTE:
        return this.string();
      case LOWER_T:
        return this.word(TRUE, true);
      case LOWER_F:
        return this.word(FALSE, false);
      case LOWER_N:
        return this.word(NULL, null);
      default:
        return this.number();
    }
  }

  private string(): string {
    const { bytes, end } = this;
    const from = this.at + 1;
    let at = from;
    if (this.isPlain) {
      // One comparison a letter instead of four.
      while (at < end && bytes[at] !== QUOTE) at++;
      if (at >= end) return this.stop('');
      this.at = at + 1;
      return this.text.substring(from - this.start, at - this.start);
    }
    let isAscii = true;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        if (isAscii) return this.text.substring(from - this.start, at - this.start);
        return bytes.utf8Slice(from, at);
      }
      if (byte === BACKSLASH) return this.escaped(from);
      if (byte < SPACE) return this.stop('');
      if (byte > 0x7f) isAscii = false;
    }
    return this.stop('');
  }

  /** A string with escapes, by `JSON.parse`. */
  private escaped(from: number): string {
    const { bytes, end } = this;
    let at = from;
    while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    if (at >= end) return this.stop('');
    this.at = at + 1;
    try {
      return JSON.parse(bytes.utf8Slice(from - 1, at + 1)) as string;
    } catch {
      return this.stop('');
    }
  }

  private number(): number {
    const { bytes, end } = this;
    const from = this.at;
    const isNegative = bytes[from] === MINUS;
    const first = isNegative ? from + 1 : from;
    let at = first;
    let digits = 0;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte < ZERO || byte > NINE) break;
      digits = digits * 10 + (byte - ZERO);
    }
    const whole = at - first;
    if (whole === 0 || (whole > 1 && bytes[first] === ZERO)) return this.stop(0);

    let decimals = 0;
    if (at < end && bytes[at] === POINT) {
      const point = at++;
      for (; at < end; at++) {
        const byte = bytes[at]!;
        if (byte < ZERO || byte > NINE) break;
        digits = digits * 10 + (byte - ZERO);
      }
      decimals = at - point - 1;
      if (decimals === 0) return this.stop(0);
    }
    if (whole + decimals > EXACT_DIGITS || (at < end && (bytes[at]! | 0x20) === LOWER_E)) return this.longNumber(from);
    this.at = at;
    const value = decimals === 0 ? digits : digits / POWERS_OF_TEN[decimals]!;
    return isNegative ? -value : value;
  }

  /** A number with an exponent or many digits, by `JSON.parse`. */
  private longNumber(from: number): number {
    let at = from;
    while (at < this.end && isOfNumber(this.bytes[at]!)) at++;
    this.at = at;
    try {
      return JSON.parse(this.text.substring(from - this.start, at - this.start)) as number;
    } catch {
      return this.stop(0);
    }
  }

  private word<T>(word: Uint8Array, value: T): T {
    const { bytes, at } = this;
    for (let index = 1; index < word.length; index++) if (bytes[at + index] !== word[index]) return this.stop(value);
    this.at = at + word.length;
    return value;
  }

  private stop<T>(value: T): T {
    this.hasStopped = true;
    return value;
  }
}

function isOfNumber(byte: number): boolean {
  return (
    (byte >= ZERO && byte <= NINE) || byte === POINT || byte === MINUS || byte === PLUS || (byte | 0x20) === LOWER_E
  );
}
