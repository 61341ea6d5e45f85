/**
 * Caches in memory, one small function each: opens it with `fill`, and says which expression reads a key. Each loads its
 * package itself, for it runs in a process of its own.
 */
import { TTL } from '../values.mjs';

const ENTRIES = 10_000;

/** The loader of a scenario in which everything is there must never be called. */
const unwanted = () => {
  throw new Error('the loader was called for a key that is there');
};

export async function map(fill) {
  const cache = new Map(fill);
  return { name: 'Map, no ttl', cache, sync: 'cache.get(key)', awaited: 'await cache.get(key)' };
}

export async function lruCache(fill) {
  const { LRUCache } = await import('lru-cache');
  const cache = new LRUCache({ max: ENTRIES, ttl: TTL });
  for (const [key, value] of fill) cache.set(key, value);
  return { name: 'lru-cache with ttl', cache, sync: 'cache.get(key)', awaited: 'await cache.get(key)' };
}

export async function turbocache(fill, options = {}) {
  const { CacheManager } = await import('../../../index.mjs');
  const manager = new CacheManager({ ttl: TTL, ...options });
  for (const [key, value] of fill) await manager.set(key, value);
  return {
    name: `turbocache, ${options.hot === false ? 'L1 only' : (options.hot?.reads ?? 'copy')}`,
    cache: manager,
    sync: 'cache.peek(key)',
    awaited: 'await cache.get(key)',
    loading: 'await cache.getOrSet(key, loader)',
    loader: unwanted,
    load: (key, loader) => manager.getOrSet(key, loader),
    put: (key, value) => manager.set(key, value),
    close: () => manager.close(),
  };
}

/** It has no `set`: its entries come from its loader, by argument. It shares its objects. */
export async function asyncCacheDedupe(fill) {
  const { createCache } = await import('async-cache-dedupe');
  const values = new Map(fill);
  const loaders = new Map();
  const cache = createCache({ ttl: TTL / 1_000, storage: { type: 'memory', options: { size: ENTRIES } } });
  cache.define('user', (key) => values.get(key));
  cache.define('loaded', (key) => loaders.get(key)());
  for (const [key] of fill) await cache.user(key);
  values.clear();
  return {
    name: 'async-cache-dedupe',
    cache,
    loading: 'await cache.user(key)',
    async load(key, loader) {
      loaders.set(key, loader);
      const value = await cache.loaded(key);
      loaders.delete(key);
      return value;
    },
  };
}

export async function cacheable(fill) {
  const { Cacheable } = await import('cacheable');
  const cache = new Cacheable({ ttl: TTL });
  for (const [key, value] of fill) await cache.set(key, value);
  return {
    name: 'cacheable',
    cache,
    awaited: 'await cache.get(key)',
    loading: 'await cache.getOrSet(key, loader)',
    loader: unwanted,
    load: (key, loader) => cache.getOrSet(key, loader),
    put: (key, value) => cache.set(key, value),
    close: () => cache.disconnect(),
  };
}

export async function cacheManager(fill) {
  const [{ createCache }, { default: Keyv }] = await Promise.all([import('cache-manager'), import('keyv')]);
  const cache = createCache({ stores: [new Keyv()], ttl: TTL });
  for (const [key, value] of fill) await cache.set(key, value);
  return {
    name: 'cache-manager + Keyv',
    cache,
    awaited: 'await cache.get(key)',
    loading: 'await cache.wrap(key, loader)',
    loader: unwanted,
    load: (key, loader) => cache.wrap(key, loader),
    put: (key, value) => cache.set(key, value),
    close: () => cache.disconnect(),
  };
}

export async function bentocache(fill) {
  const { BentoCache, bentostore } = await import('bentocache');
  const { memoryDriver } = await import('bentocache/drivers/memory');
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: ENTRIES }));
  const cache = new BentoCache({ default: 'memory', ttl: TTL, stores: { memory: store } });
  for (const [key, value] of fill) await cache.set({ key, value });
  return {
    name: 'bentocache',
    cache,
    awaited: 'await cache.get({ key })',
    loading: 'await cache.getOrSet({ key, factory: loader })',
    loader: unwanted,
    load: (key, factory) => cache.getOrSet({ key, factory }),
    put: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  };
}
