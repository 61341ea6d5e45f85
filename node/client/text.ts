/** Text at the boundary. */

/**
 * A `Buffer` with the methods that `toString(encoding)` and `write(text, encoding)` call themselves. They are old and
 * stable, but absent from the types; going to them directly saves about 25 ns a string.
 */
export interface TextBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number, length: number): number;
}

export function textBuffer(bytes: ArrayBufferLike, offset = 0, length = bytes.byteLength - offset): TextBuffer {
  return Buffer.from(bytes as ArrayBuffer, offset, length) as TextBuffer;
}

/** Without lone surrogates, which UTF-8 cannot express: they would all become U+FFFD, and different keys one key. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
