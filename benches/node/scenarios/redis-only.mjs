/** Redis alone: no tier above it answers, and every client hands back the decoded object. */
import * as peers from '../peers/redis-clients.mjs';
import { checkUser, inFlight, oneATurn } from '../runner/in-flight.mjs';
import { KEYS, keyOf, keys, userOf, userOfSize } from '../values.mjs';

/** Reads the next of `count` keys. */
const reading =
  (client, count = KEYS) =>
  async (call) => {
    const id = call % count;
    checkUser(await client.get(keys[id]), id);
  };

export const redisOnly = [
  redis('redis-get-1', 'get, 1 in flight', (client) => inFlight(1, reading(client)), { unit: 64 }),
  redis('redis-get-64', 'get, 64 in flight', (client) => inFlight(64, reading(client)), { unit: 512 }),
  redis('redis-get-512', 'get, 512 in flight', (client) => inFlight(512, reading(client)), { unit: 4_096 }),
  redis('redis-get-turn', 'get, one a turn of the event loop', (client) => oneATurn(reading(client)), { unit: 64 }),
  redis(
    'redis-set-64',
    'set with a ttl, 64 in flight',
    (client) => inFlight(64, (call) => client.set(keys[call % KEYS], userOf(call % KEYS))),
    { unit: 512 },
  ),
  redis('redis-many-100', 'getMany of 100 keys, figures for the 100, one call in flight', readingMany, { unit: 8 }),
  sized('redis-1kb', '1 KB', 1_024, { count: 64, lanes: 64 }),
  sized('redis-10kb', '10 KB', 10_240, { count: 64, lanes: 64 }),
  sized('redis-1mb', '1 MB', 1_048_576, { count: 8, lanes: 8 }),
];

function readingMany(client) {
  return inFlight(1, async (call) => {
    const first = (call * 100) % (KEYS - 100);
    const users = await client.getMany(keys.slice(first, first + 100));
    for (let index = 0; index < 100; index++) checkUser(users[index], first + index);
  });
}

function sized(name, label, bytes, { count, lanes }) {
  const uncompressed = (server) => peers.turbocache(server, { compression: false, namespace: 'plain' });
  return redis(
    name,
    `get of values of ${label} as JSON, ${lanes} in flight`,
    (client) => inFlight(lanes, reading(client, count)),
    { unit: count, count, expected: (id) => userOfSize(id, bytes), clients: [...peers.CLIENTS, uncompressed] },
  );
}

function redis(name, title, run, { unit, count = KEYS, expected = userOf, clients = peers.CLIENTS }) {
  return {
    name,
    title: `Redis only: ${title}`,
    unit,
    needsRedis: true,
    expected,
    entrants: clients.map((open) => async (stage) => {
      const client = await open(stage.redis);
      const ids = Array.from({ length: count }, (_, id) => id);
      await Promise.all(ids.map((id) => client.set(keyOf(id), expected(id))));
      // All of them, before anything is measured: what is missed then was there.
      await Promise.all(ids.map(async (id) => checkUser(await client.get(keyOf(id)), id)));
      return { name: client.name, run: run(client), read: (id) => client.get(keyOf(id)), close: client.close };
    }),
  };
}
