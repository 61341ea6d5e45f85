import { Cacheable } from 'cacheable';
import { CacheManager } from '../../index.mjs';

const KEYS = 1_000;
const TTL = 3_600_000;
const keys = Array.from({ length: KEYS }, (_, index) => `user:${index}`);
const valueOf = (index) => ({
  id: index,
  name: `User ${index}`,
  email: `user${index}@example.org`,
  roles: ['reader', 'writer'],
  address: { street: 'Long Street 17', city: 'Somewhere', zip: '12345', country: 'NL' },
  createdAt: '2026-01-01T00:00:00.000Z',
  active: true,
});

/** Keeps what was read alive, so that no read can be optimised away. */
let sink;

/** What a service does all day: `await cache.get(key)` for a key that is there. */
export const hit = {
  title: `awaited get of 1,000 keys that are there, an object of ${JSON.stringify(valueOf(0)).length} bytes as JSON`,
  operations: 200_000,
  async open() {
    const managers = ['copy', 'frozen', 'shared'].map((reads) => new CacheManager({ hot: { reads }, ttl: TTL }));
    const cacheable = new Cacheable({ ttl: TTL });
    const map = new Map();
    for (const [index, key] of keys.entries()) {
      for (const manager of managers) await manager.set(key, valueOf(index));
      await cacheable.set(key, valueOf(index));
      map.set(key, { value: valueOf(index), expires: Date.now() + TTL });
    }
    // The least that a cache with a ttl can do; it shares its objects.
    const bareMap = {
      async get(key) {
        const entry = map.get(key);
        return entry !== undefined && entry.expires > Date.now() ? entry.value : undefined;
      },
    };
    const reader = (name, cache) => ({
      name,
      async run(operations) {
        for (let index = 0; index < operations; index++) sink = await cache.get(keys[index % KEYS]);
        if (sink === undefined) throw new Error(`${name}: a miss`);
      },
    });
    return {
      contestants: [
        reader('Map with ttl (shares its objects)', bareMap),
        reader("turbocache, reads: 'shared'", managers[2]),
        reader("turbocache, reads: 'frozen'", managers[1]),
        reader("turbocache, reads: 'copy' (default)", managers[0]),
        reader('cacheable, memory only', cacheable),
      ],
      close: async () => {
        await cacheable.disconnect();
        for (const manager of managers) await manager.close();
      },
    };
  },
};
