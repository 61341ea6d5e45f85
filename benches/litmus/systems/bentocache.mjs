/** bentocache with memory, Redis and its bus over Redis, which its manual asks for when several processes share a store. */
export const name = 'bentocache';
export const packages = ['bentocache', 'ioredis'];
export const lacks = {
  peek: 'it has no synchronous read',
  lease: 'it has no lease between processes',
  foreign: 'it does not notice what other clients of Redis write',
  tracking: 'it does not use client tracking',
};

export const fillsForRefresh = 'setForRefresh';

export async function open({ host, port, namespace, ttl }) {
  const { BentoCache, bentostore } = await import('bentocache');
  const { memoryDriver } = await import('bentocache/drivers/memory');
  const { redisBusDriver, redisDriver } = await import('bentocache/drivers/redis');
  const connection = { host, port };
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 10_000 }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }));
  const cache = new BentoCache({ default: 'layers', prefix: namespace, ttl, stores: { layers: store } });
  return {
    get: (key) => cache.get({ key }),
    set: (key, value, options) => cache.set({ key, value, ...options }),
    delete: (key) => cache.delete({ key }),
    getOrSet: (key, factory, options) => cache.getOrSet({ key, factory, ...options }),
    /** Its background load: an entry in its grace is handed out while the factory runs. */
    async refresh(key, factory) {
      await cache.expire({ key });
      return cache.getOrSet({ key, factory, grace: '1h', timeout: 0 });
    },
    /** A value that `refresh` finds. */
    setForRefresh: (key, value) => cache.set({ key, value, grace: '1h' }),
    invalidateTag: (tag) => cache.deleteByTag({ tags: [tag] }),
    close: () => cache.disconnectAll(),
  };
}
