/** Versions: which ones there may be, and how they stand in the path of a named cache. */
import type { CacheOptions } from '../../index';
import { escapeName } from './key';
import { CONFIGURATION, refuse } from './option-check';
import { fingerprintOf } from './schema-fingerprint';
import { isWellFormed } from './text';

const MOST_BYTES = 256;
const VERSION_EXPECTED = `a number or a string of 1 to ${MOST_BYTES} bytes`;

/**
 * Level of the path of a named cache. Throws a `ConfigurationError`.
 *
 * `users`, `users@2`, `users@2@<fingerprint>`, `users@@<fingerprint>`. A name and a version are escaped, so that `@` stands in
 * neither, and a version is never empty: different ones never share a level. As `root_path` in src/key.rs.
 */
export function levelOf(name: string, { version, schema }: CacheOptions): string {
  const escaped = escapeName('name', name);
  if (version === undefined && schema === undefined) return escaped;
  const text = version === undefined ? '' : escapeName('version', checkVersion('version', version));
  const fingerprint = schema === undefined ? '' : `@${fingerprintOf('schema', schema)}`;
  return `${escaped}@${text}${fingerprint}`;
}

/** As a text. Throws a `ConfigurationError`. */
export function checkVersion(option: string, input: unknown): string {
  const text = typeof input === 'number' && Number.isFinite(input) ? String(input) : input;
  if (typeof text !== 'string' || text === '' || !isWellFormed(text) || Buffer.byteLength(text) > MOST_BYTES) {
    refuse(CONFIGURATION, option, input, VERSION_EXPECTED);
  }
  return text;
}
