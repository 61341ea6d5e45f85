/**
 * Fills a cache with entries that all expire between 2 and 6 s after the filling, then reads one after the other for 8 s, and
 * on until the cache has removed what has expired, beside 50 writes a millisecond. Prints how long single reads took, in
 * microseconds.
 *
 * `machine` is no cache: its read does nothing for the 2 µs that one takes, beside a thread that works for 0.2 ms and
 * pauses for 0.5, as the search for dead entries does. Whatever takes longer is the machine's.
 */
import { createHistogram } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const [, , cacheName, count] = process.argv;
const entries = Number(count);
/** Keys that are written meanwhile, over and over. */
const WRITTEN = 100_000;
const keyOf = (index) => `entry:${index}`;
const valueOf = (index) => `value ${index} of an entry that is about to expire`;

const CACHES = {
  async turbocache() {
    const { CacheManager } = await import('../../../index.mjs');
    const manager = new CacheManager({ hot: false, memory: { maxBytes: '2gb' }, ttl: '1h' });
    return {
      set: (key, value, ttl) => manager.set(key, value, { ttl }),
      get: (key) => manager.peek(key),
      isTidy: () => manager.stats().memory.entries <= WRITTEN,
      close: () => manager.close(),
    };
  },
  async lruCache() {
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache({ max: entries * 2 });
    return { set: (key, value, ttl) => void cache.set(key, value, { ttl }), get: (key) => cache.get(key) };
  },
  machine() {
    const beside = new Worker(`(${worksAndPauses})()`, { eval: true });
    return { get: () => busyFor(0.002), close: () => beside.terminate() };
  },
};

function worksAndPauses() {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    for (const end = performance.now() + 0.2; performance.now() < end;);
    Atomics.wait(cell, 0, 0, 0.5);
  }
}

function busyFor(milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

const cache = await CACHES[cacheName]();
const begun = performance.now();
// Later entries have less time left, so that all end in the same four seconds whatever the filling takes.
const fillingTakes = entries / 250;
for (let index = 0; cache.set && index < entries; index++) {
  const left = begun + fillingTakes + 2_000 + ((index * 7_919) % 4_000) - performance.now();
  await cache.set(keyOf(index), valueOf(index), Math.max(1, Math.round(left)));
}

const reads = createHistogram();
const start = performance.now();
let writes = 0;
let index = 0;
let end = start + 8_000;
while (performance.now() < end) {
  for (const due = (performance.now() - start) * 50; writes < due; writes++) {
    cache.set?.(`written:${writes % WRITTEN}`, valueOf(writes), 3_600_000);
  }
  for (let read = 0; read < 200; read++) {
    index = (index + 7_919) % entries;
    const before = performance.now();
    const value = cache.get(keyOf(index));
    reads.record(Math.max(1, Math.round((performance.now() - before) * 1e6)));
    if (value !== undefined && value !== valueOf(index)) throw new Error(`${value} came for ${index}`);
  }
  await nextTurn();
  if (performance.now() >= end && cache.isTidy?.() === false && end < start + 60_000) end += 100;
}
const at = (percent) => reads.percentile(percent) / 1e3;
const figures = { 'p99.99': at(99.99), max: reads.max / 1e3, p50: at(50), 'p99.9': at(99.9) };
console.log(JSON.stringify(figures));
await cache.close?.();
