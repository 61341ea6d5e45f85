/** Values to bytes and back, by JSON or by the user's serializer, with this package's errors and limits. */
import { LimitError, SerializationError } from './errors';
import type { TextBuffer } from './text';

/** What is known of the letters of a text before it is read. */
export const enum Letters {
  Any,
  Ascii,
  /** ASCII without control characters and without a backslash. */
  Plain,
}

/** An encoded value: text is written as UTF-8. */
export type Encoded = string | Uint8Array;

export interface Codec {
  readonly id: number;
  readonly name: string;
  /** Decoded values are plain objects, arrays and primitives. */
  readonly isJson: boolean;
  encode(value: unknown): Encoded | undefined;
  /** `bytes` is only valid during the call. Throws for damaged bytes. */
  decode(bytes: TextBuffer, start: number, end: number, letters: Letters): unknown;
  /** The same for a text that {@link encode} made here. */
  decodeText(text: string): unknown;
}

/** Encodes for storing. Throws a `SerializationError` or a `LimitError`; the value itself is in neither. */
export function encode(codec: Codec, key: string, value: unknown, maxBytes: number): Encoded {
  let encoded: Encoded | undefined;
  try {
    encoded = codec.encode(value);
  } catch (cause) {
    throw new SerializationError(
      'E_TURBOCACHE_SERIALIZE',
      `The value of key '${key}' cannot be encoded as ${codec.name}.`,
      { key, cause },
    );
  }
  if (typeof encoded !== 'string' && !(encoded instanceof Uint8Array)) {
    const got = typeof value;
    const message = `The value of key '${key}' is a ${got}, which ${codec.name} cannot encode; expected a value that it turns into text or bytes.`;
    throw new SerializationError('E_TURBOCACHE_SERIALIZE', message, {
      key,
      got,
      expected: `a value that ${codec.name} can encode`,
    });
  }
  // No UTF-16 unit needs more than three bytes, so that nearly every value is known to fit without counting.
  const bytes = encoded.length * 3 <= maxBytes ? 0 : byteLength(encoded);
  if (bytes > maxBytes) {
    const message = `The value of key '${key}' has ${bytes} bytes as ${codec.name}; expected at most ${maxBytes} (maxValueBytes).`;
    throw new LimitError('E_TURBOCACHE_VALUE_TOO_LARGE', message, {
      key,
      option: 'value',
      got: bytes,
      expected: `at most ${maxBytes} bytes`,
    });
  }
  return encoded;
}

export function byteLength(encoded: Encoded): number {
  return typeof encoded === 'string' ? Buffer.byteLength(encoded) : encoded.byteLength;
}

/** Decodes what {@link encode} made: the caller of a load gets what every later caller will get (law 7). */
export function decodeOwn(codec: Codec, key: string, encoded: Encoded): unknown {
  try {
    if (typeof encoded === 'string') return codec.decodeText(encoded);
    const bytes = Buffer.from(encoded.buffer as ArrayBuffer, encoded.byteOffset, encoded.byteLength);
    return codec.decode(bytes as TextBuffer, 0, bytes.length, Letters.Any);
  } catch (cause) {
    throw undecodable(codec, key, cause);
  }
}

export function undecodable(codec: Codec, key: string, cause?: unknown): SerializationError {
  return new SerializationError(
    'E_TURBOCACHE_SERIALIZE',
    `The value of key '${key}' cannot be decoded as ${codec.name}.`,
    { key, cause },
  );
}
