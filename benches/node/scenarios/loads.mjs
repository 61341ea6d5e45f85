/** Keys that nobody has, in memory alone: what a load costs when the loader costs nothing. */
import * as peers from '../peers/memory.mjs';
import { checkUser, inFlight } from '../runner/in-flight.mjs';
import { keyOf, userOf } from '../values.mjs';

const CACHES = [peers.turbocache, peers.asyncCacheDedupe, peers.cacheable, peers.bentocache, peers.cacheManager];

export const loads = [1, 64].map((lanes) => ({
  name: `all-miss-${lanes}`,
  title: `Memory only: getOrSet of keys that nobody has, the loader answers at once, ${lanes} in flight`,
  unit: 256,
  expected: userOf,
  entrants: CACHES.map((open) => async () => {
    const { name, load, close } = await open([]);
    return {
      name: name.replace(/, copy$/, ''),
      run: inFlight(lanes, async (id) => checkUser(await load(`miss:${id}`, async () => userOf(id)), id)),
      async read(id) {
        await load(keyOf(id), async () => userOf(id));
        return load(keyOf(id), async () => undefined);
      },
      close,
    };
  }),
}));
