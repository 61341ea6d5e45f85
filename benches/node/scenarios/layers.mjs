/** Memory over Redis: some values are near, some far, some are written, some are nowhere. */
import * as peers from '../peers/layered.mjs';
import { checkUser, inFlight } from '../runner/in-flight.mjs';
import { keyOf, userOf } from '../values.mjs';
import { zipf } from '../zipf.mjs';

const DRAWS = 65_536;

const mixed = (cache) => {
  const draws = zipf({ items: 20_000, exponent: 0.99, draws: DRAWS, seed: 1 });
  return inFlight(64, async (call) => {
    const id = draws[call % DRAWS];
    if (call % 20 === 0) return cache.set(keyOf(id), userOf(id));
    checkUser(await cache.getOrSet(keyOf(id), async () => userOf(id)), id);
  });
};

const missing = (cache) =>
  inFlight(64, async (id) => checkUser(await cache.getOrSet(`miss:${id}`, async () => userOf(id)), id));

const withSet = [peers.turbocache, peers.bentocache, peers.cacheable, peers.cacheManager];

export const layers = [
  layered('zipf-95-5', '95 % getOrSet, 5 % set, Zipf 0.99 over 20,000 keys, 64 in flight', mixed, withSet),
  layered('all-miss-redis', 'getOrSet of keys that nobody has, the loader answers at once, 64 in flight', missing, [
    ...withSet,
    peers.asyncCacheDedupe,
  ]),
];

function layered(name, title, run, caches) {
  return {
    name,
    title: `Memory over Redis: ${title}`,
    unit: 512,
    needsRedis: true,
    expected: userOf,
    entrants: caches.map((open) => async (stage) => {
      const cache = await open(stage.redis);
      const read = async (id) => {
        await cache.getOrSet(`check:${id}`, async () => userOf(id));
        return cache.getOrSet(`check:${id}`, async () => undefined);
      };
      return { name: cache.name, run: run(cache), read, close: cache.close };
    }),
  };
}
