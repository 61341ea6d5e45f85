/** cacheable with memory, Redis by @keyv/redis, and CacheableSync over Redis, which its manual asks for. */
export const name = 'cacheable';
export const packages = ['cacheable', 'keyv', '@keyv/redis', '@qified/redis'];
export const lacks = {
  peek: 'it has no synchronous read',
  lease: 'it has no lease between processes',
  foreign: 'it does not notice what other clients of Redis write',
  tracking: 'it does not use client tracking',
  refresh: 'it has no background refresh',
  hardTimeout: 'it has no limit for a loader',
};

/** Its messages carry values, which the receivers keep in memory. */
export const pushesValues = true;

export async function open({ url, namespace, ttl, tags }) {
  const [{ Cacheable }, { default: KeyvRedis }, { RedisMessageProvider }] = await Promise.all([
    import('cacheable'),
    import('@keyv/redis'),
    import('@qified/redis'),
  ]);
  const provider = new RedisMessageProvider({ uri: url });
  const secondary = new KeyvRedis(url, { namespace });
  const cache = new Cacheable({ ttl, namespace, secondary, tags, sync: { qified: provider } });
  // Without a listener a lost connection of the provider would end the process; it offers no way to add one.
  for (const source of [cache, secondary, provider.pub, provider.sub]) source.on('error', () => {});
  return {
    get: (key) => cache.get(key),
    set: (key, value, options) => cache.set(key, value, options),
    delete: (key) => cache.delete(key),
    getOrSet: (key, loader, options) => cache.getOrSet(key, loader, options),
    invalidateTag: (tag) => cache.tags.invalidateTag(tag),
    close: () => cache.disconnect(),
  };
}
