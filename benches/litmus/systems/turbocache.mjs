/** turbocache as its documentation opens it: hot tier, memory tier, Redis, all defaults. */
export const name = 'turbocache';
export const packages = [];
export const lacks = {};
/** A loader that asks for its own key. */
export const failsAtOnce = true;

export async function open({ url, namespace, ttl }) {
  const { CacheManager } = await import('turbocache-js');
  const manager = new CacheManager({ namespace, redis: { url }, ttl });
  // It goes on without Redis; that it is away is no failure of this process.
  manager.on('error', () => {});
  await manager.ready();
  return {
    get: (key) => manager.get(key),
    peek: (key) => manager.peek(key),
    set: (key, value, options) => manager.set(key, value, options),
    delete: (key) => manager.delete(key),
    getOrSet: (key, loader, options) => manager.getOrSet(key, loader, options),
    refresh: (key, loader) => manager.getOrSet(key, loader, { eagerRefresh: 1e-9 }),
    received: () => manager.stats().invalidations.received,
    invalidateTag: (tag) => manager.invalidateTags([tag]),
    close: () => manager.close(),
  };
}
