/** The default encoding: JSON text in UTF-8, made and read by V8. */
import type { Codec } from './codec';
import type { TextBuffer } from './text';

export const JSON_CODEC: Codec = {
  // The id of JSON in the envelope, `docs/spec/envelope.md`.
  id: 1,
  name: 'json',
  isJson: true,
  encode(value: unknown): string | undefined {
    // `undefined` for a function, a symbol, and what `toJSON` makes undefined; the types do not say so.
    return JSON.stringify(value);
  },
  decode(bytes: TextBuffer, start: number, end: number, ascii: boolean): unknown {
    return JSON.parse(ascii ? bytes.latin1Slice(start, end) : bytes.utf8Slice(start, end));
  },
};
