/**
 * What the way into the engine and back costs where nobody waits for anything: writes to memory alone. With ours each is encoded,
 * handed over with the others of its turn, stored as bytes, made known to every hot tier, and answered.
 */
import * as peers from '../peers/memory.mjs';
import { inFlight } from '../runner/in-flight.mjs';
import { KEYS, keyOf, keys, userOf } from '../values.mjs';

export const rings = [1, 64].map((lanes) => ({
  name: `set-memory-${lanes}`,
  title: `Memory only: set, ${lanes} in flight`,
  unit: 256,
  expected: userOf,
  entrants: [peers.turbocache, peers.cacheable, peers.bentocache, peers.cacheManager].map((open) => async () => {
    const { name, put, load, close } = await open([]);
    return {
      name: name.replace(/, copy$/, ''),
      run: inFlight(lanes, (call) => put(keys[call % KEYS], userOf(call % KEYS))),
      async read(id) {
        await put(keyOf(id), userOf(id));
        return load(keyOf(id), async () => undefined);
      },
      close,
    };
  }),
}));
