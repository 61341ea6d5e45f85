/** What is to be removed, as data: it comes from templates, from messages, from a journal, and can be written down. */
import { InvalidArgumentError } from '../client';
import type { RegisteredCache } from '../registry/cache-registry';

export interface Eviction {
  /** Name of a cache (`forFeature`) or of a manager (`forRoot({ name })`). @default the default manager */
  readonly cache?: string;
  /** Keys to remove, as they are in the cache; `cacheKey()` makes them from a template. */
  readonly keys?: readonly string[];
  /** Removes every entry that carries one of these tags. */
  readonly tags?: readonly string[];
  /** Removes every entry whose key matches one of these globs. */
  readonly patterns?: readonly string[];
  /** Removes every entry of the cache. */
  readonly all?: boolean;
}

/** As many as `invalidateTags` takes at once. */
const MOST_TAGS = 64;

/** Resolves when every tier has been asked; rejects when the cache refuses, e.g. a key that is too long. */
export async function evict({ cache }: Pick<RegisteredCache, 'cache'>, eviction: Eviction): Promise<void> {
  const { keys = [], tags = [], patterns = [], all = false } = eviction;
  // Made in one turn, so that they travel together.
  const parts: Promise<unknown>[] = keys.map((key) => cache.delete(key));
  for (let i = 0; i < tags.length; i += MOST_TAGS) parts.push(cache.invalidateTags(tags.slice(i, i + MOST_TAGS)));
  for (const pattern of patterns) parts.push(cache.deletePattern(pattern));
  if (all) parts.push(cache.clear());
  await settled(parts);
}

export interface EvictionCheck {
  /** Begins the error's message. */
  readonly where: string;
  /** `false`: whoever says it may not name patterns, each of which walks over every key of the store. */
  readonly withPatterns: boolean;
}

/** An eviction from outside: a message, an argument, a row. */
export function checkEviction(given: unknown, { where, withPatterns }: EvictionCheck): Eviction {
  const possible = withPatterns ? '`keys`, `tags`, `patterns` or `all: true`' : '`keys`, `tags` or `all: true`';
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrong(where, 'eviction', given, `an object with ${possible}`);
  }
  const { cache, keys, tags, patterns, all } = given as Record<string, unknown>;
  if (patterns !== undefined && !withPatterns) throw wrong(where, 'patterns', patterns, `none, but ${possible}`);
  if (cache !== undefined && !isText(cache)) throw wrong(where, 'cache', cache, 'the name of a cache');
  if (keys !== undefined && !isTexts(keys)) throw wrong(where, 'keys', keys, 'a list of texts');
  if (tags !== undefined && !isTexts(tags)) throw wrong(where, 'tags', tags, 'a list of texts');
  if (patterns !== undefined && !isTexts(patterns)) throw wrong(where, 'patterns', patterns, 'a list of globs');
  if (all !== undefined && typeof all !== 'boolean') throw wrong(where, 'all', all, 'true or false');
  if (all !== true && keys === undefined && tags === undefined && patterns === undefined) {
    throw wrong(where, 'eviction', given, `an object with ${possible}`);
  }
  return {
    ...(cache === undefined ? {} : { cache }),
    ...(keys === undefined ? {} : { keys }),
    ...(tags === undefined ? {} : { tags }),
    ...(patterns === undefined ? {} : { patterns }),
    ...(all === undefined ? {} : { all }),
  };
}

/** Each part is tried, and the first failure is told when all have ended. */
async function settled(parts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(parts)).find(({ status }) => status === 'rejected');
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function wrong(where: string, option: string, got: unknown, expected: string): InvalidArgumentError {
  const kind = got === null ? 'null' : Array.isArray(got) ? 'a list' : typeof got;
  return new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', `${where}: "${option}" is ${kind}; expected ${expected}.`, {
    option,
    expected,
  });
}
