/** Values that are there, in the memory of this process. */
import * as peers from '../peers/memory.mjs';
import { compiledLoop, compiledRead } from '../runner/compiled-loop.mjs';
import { KEYS, keys, userOf } from '../values.mjs';

const reads = (mode) => (fill) => peers.turbocache(fill, { hot: { reads: mode } });
const [copy, frozen, shared] = ['copy', 'frozen', 'shared'].map(reads);

export const hits = [
  hit('hit-sync', 'Synchronous hit: peek', 'sync', [shared, frozen, copy, peers.map, peers.lruCache]),
  hit('hit-awaited', 'Awaited hit: await get', 'awaited', [
    shared,
    frozen,
    copy,
    peers.map,
    peers.lruCache,
    peers.cacheable,
    peers.bentocache,
    peers.cacheManager,
  ]),
  hit('hit-get-or-set', 'Hit of getOrSet', 'loading', [
    copy,
    frozen,
    shared,
    peers.asyncCacheDedupe,
    peers.cacheable,
    peers.bentocache,
    peers.cacheManager,
  ]),
  hit('hit-memory', 'Hit of the encoded tier: read and decode', 'encoded', [
    async (fill) => encodedBy('sync', await peers.turbocache(fill, { hot: false })),
    async (fill) => {
      const cache = await peers.lruCache(fill.map(([key, value]) => [key, JSON.stringify(value)]));
      return { ...cache, name: 'lru-cache of texts, JSON.parse', encoded: 'JSON.parse(cache.get(key))' };
    },
    async (fill) => encodedBy('loading', await peers.cacheable(fill)),
    async (fill) => encodedBy('loading', await peers.bentocache(fill)),
  ]),
];

function encodedBy(kind, peer) {
  return { ...peer, name: kind === 'sync' ? peer.name : `${peer.name} getOrSet`, encoded: peer[kind] };
}

function hit(name, title, kind, openers) {
  return {
    name,
    title: `${title}, 1,024 keys, an object of 10 fields`,
    unit: KEYS,
    expected: userOf,
    entrants: openers.map((open) => async () => {
      const peer = await open(keys.map((key, index) => [key, userOf(index)]));
      return {
        name: peer.name,
        run: compiledLoop(peer, keys, peer[kind]),
        read: compiledRead(peer, keys, peer[kind]),
        close: peer.close,
      };
    }),
  };
}
