/** Redis alone: no tier above it answers, and every client hands back the decoded object. */
import * as peers from '../peers/redis-clients.mjs';
import { startRedis } from '../redis-server.mjs';
import { checkUser, inFlight, oneATurn } from '../runner/in-flight.mjs';
import { KEYS, keyOf, keys, userOf, userOfSize } from '../values.mjs';

const SIZED = [
  peers.turbocache,
  (redis) => peers.turbocache(redis, { compression: false, namespace: 'plain' }),
  peers.ioredis,
  peers.ioredisPipelining,
  peers.nodeRedis,
  peers.valkeyGlide,
];

const getting = (lanes) => (client) => inFlight(lanes, KEYS, (id) => client.get(keys[id]));

export const redisClients = [
  clientsOf('redis-get-1', 'Redis only: get, 1 in flight', getting(1), { unit: 64 }),
  clientsOf('redis-get-64', 'Redis only: get, 64 in flight', getting(64)),
  clientsOf('redis-get-512', 'Redis only: get, 512 in flight', getting(512)),
  clientsOf('redis-get-turn', 'Redis only: one get a turn of the event loop', (client) =>
    oneATurn(KEYS, (id) => client.get(keys[id])),
  ),
  clientsOf('redis-set-64', 'Redis only: set with ttl, 64 in flight', (client) =>
    inFlight(64, KEYS, async (id) => {
      const user = userOf(id);
      await client.set(keys[id], user);
      return user;
    }),
  ),
  clientsOf(
    'redis-many-100',
    'Redis only: getMany of 100 keys (a figure is for the 100), one call in flight',
    (client) => async (operations) => {
      for (let call = 0; call < operations; call++) {
        const first = (call * 100) % (KEYS - 100);
        const users = await client.getMany(keys.slice(first, first + 100));
        for (const [index, user] of users.entries()) checkUser(user, first + index);
      }
    },
    { unit: 8 },
  ),
  sized('redis-1kb', '1 KB', 1_024, { count: 64, lanes: 64 }),
  sized('redis-10kb', '10 KB', 10_240, { count: 64, lanes: 64 }),
  sized('redis-1mb', '1 MB', 1_048_576, { count: 8, lanes: 8 }),
];

function sized(name, label, bytes, { count, lanes }) {
  const getSized = (client) => inFlight(lanes, count, (id) => client.get(keys[id]));
  const expected = (id) => userOfSize(id, bytes);
  const title = `Redis only: get of values of ${label} as JSON, ${lanes} in flight`;
  return clientsOf(name, title, getSized, { unit: count, count, expected, clients: SIZED });
}

function clientsOf(name, title, run, { unit = KEYS, count = KEYS, expected = userOf, clients: open } = {}) {
  return {
    name,
    title,
    unit,
    async open() {
      const redis = await startRedis();
      const users = Array.from({ length: count }, (_, id) => [keyOf(id), expected(id)]);
      const { clients, close } = await peers.openClients(redis, users, open);
      return {
        contestants: clients.map((client) => ({
          name: client.name,
          run: run(client),
          read: (id) => client.get(keyOf(id)),
        })),
        expected,
        close: async () => {
          await close();
          await redis.stop();
        },
      };
    },
  };
}
