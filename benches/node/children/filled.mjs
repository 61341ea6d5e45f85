/** Fills one cache with `count` entries and prints what that costs. `overhead` is what an entry
 * takes beyond key and value; pages that V8 holds free after the filling are not the entry's. */
import { isDeepStrictEqual } from 'node:util';
import { TTL, userOf } from '../values.mjs';

const [, , cacheName, kind, count] = process.argv;
const entries = Number(count);
const keyOf = (index) => Buffer.from(`entry:${String(index).padStart(8, '0')}`).toString('latin1');
// A flat string of its own each time: one made of parts would be counted with its parts.
const stringOf = (index) => Buffer.from(String(index).padStart(100, 'abcdefghij')).toString('latin1');
// Parsed, as a value from outside is: literals of this file would share their strings.
const objectOf = (index) => JSON.parse(JSON.stringify(userOf(index)));
const valueOf = kind === 'string' ? stringOf : objectOf;

const CACHES = {
  async turbocache() {
    const { CacheManager } = await import('../../../index.mjs');
    const manager = new CacheManager({ hot: false, memory: { maxBytes: '2gb' }, ttl: TTL });
    return {
      set: (key, value) => manager.set(key, value),
      get: (key) => manager.peek(key),
      close: () => manager.close(),
    };
  },
  async map() {
    return new Map();
  },
  async lruCache() {
    const { LRUCache } = await import('lru-cache');
    return new LRUCache({ max: entries, ttl: TTL });
  },
  async cacheable() {
    const { Cacheable } = await import('cacheable');
    const cache = new Cacheable({ ttl: TTL });
    return {
      set: (key, value) => cache.set(key, value),
      get: (key) => cache.get(key),
      close: () => cache.disconnect(),
    };
  },
};

const cache = await CACHES[cacheName]();
for (let index = 0; index < 100; index++) await cache.set(keyOf(index), valueOf(index));
globalThis.gc();
const before = process.memoryUsage();
for (let index = 0; index < entries; index++) {
  const done = cache.set(keyOf(index), valueOf(index));
  if (typeof done?.then === 'function') await done;
}
globalThis.gc();
globalThis.gc();
const after = process.memoryUsage();
for (const index of [0, entries >> 1, entries - 1]) {
  if (!isDeepStrictEqual(await cache.get(keyOf(index)), valueOf(index))) throw new Error(`entry ${index} is not there`);
}
const taken = ({ rss, heapTotal, heapUsed }) => rss - (heapTotal - heapUsed);
const entry = (taken(after) - taken(before)) / entries;
const payload = keyOf(0).length + JSON.stringify(valueOf(0)).length;
const megabytes = (bytes) => bytes / 2 ** 20;
console.log(
  JSON.stringify({ rss: megabytes(after.rss), entry, overhead: entry - payload, heap: megabytes(after.heapUsed) }),
);
await cache.close?.();
