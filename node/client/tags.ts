/** Tags: what may be one, and how a list of them travels to the engine. */
import { ARGUMENT, refuse } from './option-check';
import { isWellFormed } from './text';

const MOST_TAGS = 64;
const MOST_BYTES = 256;
const EXPECTED = `at most ${MOST_TAGS} non-empty strings of at most ${MOST_BYTES} bytes`;

/** The tags, copied and without duplicates. Throws an `InvalidArgumentError`. */
export function checkTags(option: string, input: unknown): readonly string[] {
  if (!Array.isArray(input)) refuse(ARGUMENT, option, input, `an array of ${EXPECTED}`);
  const tags = new Set<string>();
  for (const tag of input as readonly unknown[]) {
    if (typeof tag !== 'string' || tag === '' || !isWellFormed(tag) || Buffer.byteLength(tag) > MOST_BYTES) {
      refuse(ARGUMENT, option, tag, EXPECTED);
    }
    tags.add(tag);
  }
  if (tags.size > MOST_TAGS) refuse(ARGUMENT, option, `${tags.size} tags`, EXPECTED);
  return [...tags];
}

/** Each tag as u16 length and UTF-8; `null` for none. */
export function encodeTags(tags: readonly string[]): Uint8Array | null {
  if (tags.length === 0) return null;
  const bytes = Buffer.allocUnsafe(tags.reduce((sum, tag) => sum + 2 + Buffer.byteLength(tag), 0));
  let at = 0;
  for (const tag of tags) {
    const length = bytes.write(tag, at + 2);
    bytes.writeUInt16LE(length, at);
    at += 2 + length;
  }
  return bytes;
}

/** The inverse of {@link encodeTags}. */
export function decodeTags(bytes: Buffer, from: number, to: number): string[] {
  const tags: string[] = [];
  for (let at = from; at + 2 <= to;) {
    const length = bytes.readUInt16LE(at);
    tags.push(bytes.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return tags;
}
