/** The default encoding: JSON text in UTF-8, made by V8, read by what {@link JsonDecoder} has learned of a namespace. */
import type { Codec, Letters } from './codec';
import { JsonDecoder } from './json-decoder';
import type { TextBuffer } from './text';

export class JsonCodec implements Codec {
  // The id of JSON in the envelope, `docs/spec/envelope.md`.
  readonly id = 1;
  readonly name = 'json';
  readonly isJson = true;
  private readonly decoder = new JsonDecoder();

  encode(value: unknown): string | undefined {
    // `undefined` for a function, a symbol, and what `toJSON` makes undefined; the types do not say so.
    return JSON.stringify(value);
  }

  decode(bytes: TextBuffer, start: number, end: number, letters: Letters): unknown {
    return this.decoder.decode(bytes, start, end, letters);
  }

  decodeText(text: string): unknown {
    return this.decoder.decodeText(text);
  }
}
