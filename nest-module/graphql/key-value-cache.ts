/** Apollo Server's `KeyValueCache` (persisted queries, response cache, data sources) on a cache of this package. */
import { InvalidArgumentError, type Cache } from '../client';
import { checkCache } from '../module/check-options';
import { limitKey } from '../key/limit';

export interface KeyValueSetOptions {
  /** In **seconds**, as Apollo counts. `null` = without end, left out = the cache's own ttl. */
  ttl?: number | null;
}

/** Longer keys are hashed. */
const LONGEST_KEY = 512;

/**
 * ```ts
 * new ApolloServer({ cache: new TurboCacheKeyValueCache(manager.cache('apollo')) })
 * ```
 *
 * Give it a cache of its own: Apollo's keys are Apollo's.
 */
export class TurboCacheKeyValueCache {
  constructor(private readonly cache: Cache) {
    checkCache('TurboCacheKeyValueCache', cache);
  }

  get(key: string): Promise<string | undefined> {
    return this.cache.get<string>(limitKey(key, LONGEST_KEY));
  }

  async set(key: string, value: string, { ttl }: KeyValueSetOptions = {}): Promise<void> {
    const name = limitKey(key, LONGEST_KEY);
    if (ttl === undefined || ttl === null) {
      await this.cache.set(name, value, ttl === null ? { ttl: null } : undefined);
      return;
    }
    if (typeof ttl !== 'number' || Number.isNaN(ttl)) throw badTtl(ttl);
    // Nothing is fresh for no time: what is there under the key is replaced by nothing.
    if (ttl <= 0) await this.cache.delete(name);
    else await this.cache.set(name, value, { ttl: ttl === Infinity ? null : Math.ceil(ttl * 1_000) });
  }

  delete(key: string): Promise<boolean> {
    return this.cache.delete(limitKey(key, LONGEST_KEY));
  }
}

function badTtl(got: unknown): Error {
  const expected = 'a number of seconds, or null';
  return new InvalidArgumentError(
    'E_TURBOCACHE_ARGUMENT',
    `TurboCacheKeyValueCache.set: option "ttl": got ${String(got)}; expected ${expected}.`,
    { option: 'ttl', got, expected },
  );
}
