/** Long keys cost memory in every tier and have a hard limit in the engine; above a length they end in a digest. */
import { createHash } from 'node:crypto';

/** UTF-8 bytes up to which a decorator's key is kept as it is, unless the module says otherwise. */
export const DEFAULT_HASH_KEYS_ABOVE = 256;

/** A readable beginning survives, so that a key in Redis still says what it belongs to. */
const READABLE = 64;

/** The key itself up to `maxBytes` UTF-8 bytes, else its beginning and the SHA-256 of all of it. */
export function limitKey(key: string, maxBytes: number): string {
  // A UTF-16 unit is at most three bytes: most keys are known to fit without being counted.
  if (key.length * 3 <= maxBytes || Buffer.byteLength(key) <= maxBytes) return key;
  const digest = createHash('sha256').update(key).digest('base64url');
  return `${key.slice(0, READABLE).replace(/\p{Surrogate}$/u, '')}~sha256:${digest}`;
}
