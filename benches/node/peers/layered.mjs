/** Caches of two tiers, memory over Redis, behind one face: `getOrSet`, `set`. */
import { TTL } from '../values.mjs';

const host = '127.0.0.1';
const ENTRIES = 10_000;

export async function turbocache({ url }) {
  const { CacheManager } = await import('../../../index.mjs');
  const manager = new CacheManager({ namespace: 'layered', redis: { url }, ttl: TTL });
  await manager.ready();
  return {
    name: 'turbocache',
    getOrSet: (key, loader) => manager.getOrSet(key, loader),
    set: (key, value) => manager.set(key, value),
    close: () => manager.close(),
  };
}

export async function bentocache({ port }) {
  const { BentoCache, bentostore } = await import('bentocache');
  const { memoryDriver } = await import('bentocache/drivers/memory');
  const { redisDriver } = await import('bentocache/drivers/redis');
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: ENTRIES }))
    .useL2Layer(redisDriver({ connection: { host, port } }));
  const cache = new BentoCache({ default: 'layers', prefix: 'bento', ttl: TTL, stores: { layers: store } });
  return {
    name: 'bentocache + ioredis 5',
    getOrSet: (key, factory) => cache.getOrSet({ key, factory }),
    set: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  };
}

export async function cacheable({ url }) {
  const [{ Cacheable }, { default: KeyvRedis }] = await Promise.all([import('cacheable'), import('@keyv/redis')]);
  const cache = new Cacheable({ ttl: TTL, secondary: new KeyvRedis(url, { namespace: 'cacheable' }) });
  return {
    name: 'cacheable + @keyv/redis',
    getOrSet: (key, loader) => cache.getOrSet(key, loader),
    set: (key, value) => cache.set(key, value),
    close: () => cache.disconnect(),
  };
}

export async function cacheManager({ url }) {
  const [{ createCache }, { default: Keyv }] = await Promise.all([import('cache-manager'), import('keyv')]);
  const { default: KeyvRedis } = await import('@keyv/redis');
  const remote = new Keyv({ store: new KeyvRedis(url), namespace: 'manager' });
  const cache = createCache({ stores: [new Keyv(), remote], ttl: TTL });
  return {
    name: 'cache-manager + @keyv/redis',
    getOrSet: (key, loader) => cache.wrap(key, loader),
    set: (key, value) => cache.set(key, value),
    close: () => cache.disconnect(),
  };
}

/** Redis alone: it has no memory over it, and it has no `set`. */
export async function asyncCacheDedupe({ port }) {
  const [{ createCache }, { Redis }] = await Promise.all([import('async-cache-dedupe'), import('ioredis')]);
  const client = new Redis({ port, host });
  const cache = createCache({ ttl: TTL / 1_000, storage: { type: 'redis', options: { client } } });
  const loaders = new Map();
  cache.define('user', (key) => loaders.get(key)());
  return {
    name: 'async-cache-dedupe + ioredis 5',
    async getOrSet(key, loader) {
      loaders.set(key, loader);
      const value = await cache.user(key);
      loaders.delete(key);
      return value;
    },
    close: () => client.quit(),
  };
}
