/** cache-manager with Keyv in memory and in Redis. It has no messages between processes. */
export const name = 'cache-manager';
export const packages = ['cache-manager', 'keyv', '@keyv/redis'];
export const lacks = {
  memory: 'a process keeps in memory what it has written or loaded itself, not what it has read from Redis',
  peek: 'it has no synchronous read',
  lease: 'it has no lease between processes',
  foreign: 'it does not notice what other clients of Redis write',
  tracking: 'it does not use client tracking',
  tags: 'it has no tags',
  bus: 'it has no messages between processes',
  hardTimeout: 'it has no limit for a loader',
};

export async function open({ url, namespace, ttl }) {
  const [{ createCache }, { default: Keyv }] = await Promise.all([import('cache-manager'), import('keyv')]);
  const { default: KeyvRedis } = await import('@keyv/redis');
  const store = new KeyvRedis(url);
  const stores = [new Keyv(), new Keyv({ store, namespace })];
  for (const source of [store, ...stores]) source.on('error', () => {});
  const cache = createCache({ stores, ttl });
  return {
    get: (key) => cache.get(key),
    set: (key, value, options) => cache.set(key, value, options?.ttl),
    delete: (key) => cache.del(key),
    getOrSet: (key, loader) => cache.wrap(key, loader),
    refresh: (key, loader) => cache.wrap(key, loader, { ttl, refreshThreshold: ttl }),
    close: () => cache.disconnect(),
  };
}
