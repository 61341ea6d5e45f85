/**
 * Clients of Redis behind one face: `get`, `set` and `getMany` of users, encoded and decoded with JSON. All write with a ttl.
 * One connection each, as their manuals open it.
 */
import { TTL } from '../values.mjs';

const host = '127.0.0.1';
const decode = (text) => (text == null ? undefined : JSON.parse(text));

/** Redis only: neither of the tiers above may answer. */
export async function turbocache({ url }, options = {}) {
  const { CacheManager } = await import('../../../index.mjs');
  const manager = new CacheManager({
    namespace: 'bench',
    hot: false,
    memory: false,
    redis: { url },
    ttl: TTL,
    ...options,
  });
  for (const event of ['error', 'warning']) manager.on(event, (told) => console.error(`turbocache: ${told.message}`));
  await manager.ready();
  return {
    name: options.compression === false ? 'turbocache, no compression' : 'turbocache',
    get: (key) => manager.get(key),
    set: (key, value) => manager.set(key, value),
    getMany: (keys) => manager.getMany(keys),
    close: () => manager.close(),
  };
}

const likeIoredis = (name, load, options) => async (server) => {
  const { Redis } = await load();
  const client = new Redis({ port: server.port, host, ...options });
  return {
    name,
    get: async (key) => decode(await client.get(key)),
    set: (key, value) => client.set(key, JSON.stringify(value), 'PX', TTL),
    getMany: async (keys) => (await client.mget(keys)).map(decode),
    close: () => client.quit(),
  };
};

const auto = { enableAutoPipelining: true };
export const ioredis = likeIoredis('ioredis', () => import('ioredis-6'), {});
export const ioredisPipelining = likeIoredis('ioredis, auto-pipelining', () => import('ioredis-6'), auto);
export const iovalkey = likeIoredis('iovalkey, auto-pipelining', () => import('iovalkey'), auto);

export async function nodeRedis({ url }) {
  const { createClient } = await import('redis');
  const client = await createClient({ url }).connect();
  return {
    name: 'node-redis',
    get: async (key) => decode(await client.get(key)),
    set: (key, value) => client.set(key, JSON.stringify(value), { expiration: { type: 'PX', value: TTL } }),
    getMany: async (keys) => (await client.mGet(keys)).map(decode),
    close: () => client.close(),
  };
}

export async function valkeyGlide({ port }) {
  const { GlideClient, TimeUnit } = await import('@valkey/valkey-glide');
  const limits = { requestTimeout: 5_000, inflightRequestsLimit: 100_000 };
  const client = await GlideClient.createClient({ addresses: [{ host, port }], ...limits });
  const expiry = { type: TimeUnit.Milliseconds, count: TTL };
  return {
    name: 'valkey-glide',
    get: async (key) => decode(await client.get(key)),
    set: (key, value) => client.set(key, JSON.stringify(value), { expiry }),
    getMany: async (keys) => (await client.mget(keys)).map(decode),
    close: async () => client.close(),
  };
}

export const CLIENTS = [turbocache, ioredis, ioredisPipelining, nodeRedis, valkeyGlide, iovalkey];
