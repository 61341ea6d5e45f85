/** Versions: which ones there may be, and how they stand in the path of a named cache. */
import type { CacheOptions, MigrateOptions } from '../../index';
import { UnsupportedError } from './errors';
import { escapeName } from './key';
import { checkNames, CONFIGURATION, refuse } from './option-check';
import { fingerprintOf } from './schema-fingerprint';
import { isWellFormed } from './text';

const MOST_BYTES = 256;
const VERSION_EXPECTED = `a number or a string of 1 to ${MOST_BYTES} bytes`;
const FROM_EXPECTED = `${VERSION_EXPECTED}, or an object with version, schema or neither`;

/** Makes a value of this version from one of the version before. */
export type Migrate = MigrateOptions['value'];

/** What a named cache says about its version. */
export interface Versioning {
  /** Level of the path: the escaped name, with what tells the version from others behind it. */
  readonly level: string;
  readonly migration: { readonly from: string; readonly value: Migrate } | undefined;
}

/** `name` is that of the cache. Throws a `ConfigurationError`. */
export function checkVersioning(name: string, { version, schema, migrate }: CacheOptions): Versioning {
  const level = levelOf(name, '', { version, schema });
  if (migrate === undefined) return { level, migration: undefined };
  const given = checkNames<MigrateOptions>(CONFIGURATION, 'migrate.', migrate, ['from', 'value']);
  const from = levelOf(name, 'migrate.from.', checkFrom(given.from));
  if (from === level) refuse(CONFIGURATION, 'migrate.from', given.from, 'another version than that of the cache');
  if (typeof given.value !== 'function') {
    refuse(CONFIGURATION, 'migrate.value', given.value, 'a function that makes a value from the old one');
  }
  return { level, migration: { from, value: given.value } };
}

export function sameMigration({ migration: a }: Versioning, { migration: b }: Versioning): boolean {
  return a?.from === b?.from && a?.value === b?.value;
}

export function notOverCluster(): UnsupportedError {
  const expected = 'a single server or Sentinels, or a version without migrate';
  const message = `The option migrate is given over a Redis Cluster, whose nodes keep no common order of the changes of two versions; expected ${expected}.`;
  return new UnsupportedError('E_TURBOCACHE_UNSUPPORTED', message, {
    option: 'migrate',
    got: 'redis.cluster',
    expected,
  });
}

/** As a text. Throws a `ConfigurationError`. */
export function checkVersion(option: string, input: unknown): string {
  const text = typeof input === 'number' && Number.isFinite(input) ? String(input) : input;
  if (typeof text !== 'string' || text === '' || !isWellFormed(text) || Buffer.byteLength(text) > MOST_BYTES) {
    refuse(CONFIGURATION, option, input, VERSION_EXPECTED);
  }
  return text;
}

interface Version {
  readonly version?: unknown;
  readonly schema?: unknown;
}

/**
 * `users`, `users@2`, `users@2@<fingerprint>`, `users@@<fingerprint>`. A name and a version are escaped, so that `@` stands in
 * neither, and a version is never empty: different ones never share a level. As `root_path` in src/key.rs.
 */
function levelOf(name: string, prefix: string, { version, schema }: Version): string {
  const escaped = escapeName('name', name);
  if (version === undefined && schema === undefined) return escaped;
  const text = version === undefined ? '' : escapeName('version', checkVersion(`${prefix}version`, version));
  const fingerprint = schema === undefined ? '' : `@${fingerprintOf(`${prefix}schema`, schema)}`;
  return `${escaped}@${text}${fingerprint}`;
}

function checkFrom(from: unknown): Version {
  if (typeof from === 'number' || typeof from === 'string') return { version: checkVersion('migrate.from', from) };
  if (typeof from !== 'object' || from === null) return refuse(CONFIGURATION, 'migrate.from', from, FROM_EXPECTED);
  return checkNames<Version>(CONFIGURATION, 'migrate.from.', from, ['version', 'schema']);
}
