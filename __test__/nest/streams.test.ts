import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { CacheManager } from 'turbocache-js';
import { type StreamClient, type StreamRules, TurboCacheEvents, TurboCacheEventsModule } from 'turbocache-js/events';
import { getCacheToken, TurboCacheModule } from 'turbocache-js/nest';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../rig/redis';
import { until } from '../rig/until';
import { type Reported, start, stop } from './fixture';

// Entries of streams in a real Redis, read through the clients that Node services have.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await redis.cli('FLUSHALL');
});

const CLIENTS = {
  ioredis: async (): Promise<StreamClient> => {
    const client = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: 0 });
    client.on('error', () => {});
    ends.push(() => client.disconnect());
    return client;
  },
  'node-redis': async (): Promise<StreamClient> => {
    const client = createClient({ url: redis.url, socket: { reconnectStrategy: () => 20 } });
    client.on('error', () => {});
    await client.connect();
    ends.push(() => client.destroy());
    return client;
  },
};

async function service(client: StreamClient, options: Omit<StreamRules, 'client'>) {
  const failures: Reported[] = [];
  const app = await start({
    imports: [
      TurboCacheModule.forRoot({ onError: (error, failure) => void failures.push({ error, ...failure }) }),
      TurboCacheModule.forFeature(['users']),
      TurboCacheEventsModule.forRootAsync({ useFactory: () => ({ streams: { client, ...options } }) }),
    ],
  });
  await until('the streams are waited for', waits);
  const [cache, users] = [app.get(CacheManager), app.get<CacheManager>(getCacheToken('users'))];
  return { app, cache, users, events: app.get(TurboCacheEvents), failures };
}

const blocked = async (): Promise<number> =>
  Number(/blocked_clients:(\d+)/.exec(String(await redis.cli('INFO', 'clients')))?.[1]);
const waits = async (): Promise<boolean> => (await blocked()) === 1;
const add = (stream: string, payload: unknown): Promise<unknown> =>
  redis.cli('XADD', stream, '*', 'payload', typeof payload === 'string' ? payload : JSON.stringify(payload));

describe.each(Object.entries(CLIENTS))('%s', (_, connect) => {
  it('brings entries that are the payload of rules, and those that say themselves what to drop', async () => {
    await add('users', { id: 'written before the start' });
    const { cache, users, events } = await service(await connect(), {
      on: { users: { key: 'user:#{payload.id}' }, evictions: 'eviction' },
      caches: ['users'],
    });
    await cache.setMany(['user:1', 'user:~2', 'a', 'b'].map((key) => ({ key, value: key, tags: [`tag ${key}`] })));
    await users.set('u', 1);
    await add('users', { id: 1 });
    await redis.cli('XADD', 'users', '*', 'id', '2', 'name', 'as fields, which are texts');
    await add('evictions', { tags: ['tag a'] });
    await add('evictions', { cache: 'users', all: true });
    await until('all are applied', () => events.stats().evicted === 4);
    expect(await cache.getMany(['user:1', 'user:~2', 'a', 'b'])).toEqual([undefined, undefined, undefined, 'b']);
    expect(await users.get('u')).toBeUndefined();
    expect(events.stats().received).toBe(4);
  });

  it('brings what was written while the connection was away', async () => {
    const { cache, events } = await service(await connect(), { on: { users: { key: 'user:#{payload.id}' } } });
    await add('users', { id: 0 });
    await until('the first one is applied', () => events.stats().evicted === 1);
    await cache.setMany([1, 2].map((id) => ({ key: `user:${id}`, value: id })));
    await redis.cli('MULTI');
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await add('users', { id: 1 });
    await redis.cli('EXEC');
    await until('the entry is applied', () => events.stats().evicted === 2);
    expect(await cache.getMany(['user:1', 'user:2'])).toEqual([undefined, 2]);
  });

  it('clears what its rules name when entries were removed before they could be read', async () => {
    const { cache, users, events } = await service(await connect(), {
      on: { users: { cache: 'users', key: 'user:#{payload.id}' } },
    });
    await add('users', { id: 0 });
    await until('the first one is applied', () => events.stats().evicted === 1);
    await users.set('user:1', 1);
    await cache.set('untouched', 1);
    await redis.cli('MULTI');
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await add('users', { id: 1 });
    await redis.cli('XTRIM', 'users', 'MAXLEN', '0');
    await redis.cli('EXEC');
    await until('the gap is seen', () => events.stats().evicted === 2);
    expect([await users.get('user:1'), await cache.get('untouched')]).toEqual([undefined, 1]);
    await users.set('user:2', 2);
    await add('users', { id: 2 });
    await until('it reads on', () => events.stats().evicted === 3);
    expect(await users.get('user:2')).toBeUndefined();
  });

  it('brings nonsense that is counted and reported, and harms nobody', async () => {
    const { cache, events, failures } = await service(await connect(), {
      on: { evictions: 'eviction', users: { key: 'user:#{payload.id}' } },
    });
    const nonsense = [
      '',
      '{',
      'null',
      '[]',
      '{}',
      '{"keys":"a"}',
      '{"all":true,"cache":"unheard"}',
      '{"patterns":["*"]}',
    ];
    for (const payload of nonsense) await add('evictions', payload);
    await redis.cli('XADD', 'users', '*', '__proto__', 'x');
    await cache.set('a', 1);
    await add('evictions', { keys: ['a'] });
    await until('the last one is applied', () => events.stats().evicted === 1);
    expect(await cache.get('a')).toBeUndefined();
    expect(events.stats()).toMatchObject({ evicted: 1, failed: 1, malformed: nonsense.length });
    expect(failures).toHaveLength(nonsense.length + 1);
  });

  it('reads nothing any more when the application has ended', async () => {
    const { app, events } = await service(await connect(), { on: { users: { all: true } } });
    await stop(app);
    await add('users', {});
    await until('nobody waits', async () => (await blocked()) === 0);
    expect(events.stats().received).toBe(0);
  });
});

it('an application starts without Redis, says so once, and reads when it comes', async () => {
  await redis.kill();
  const client = await CLIENTS.ioredis();
  const failures: Reported[] = [];
  const app = await start({
    imports: [
      TurboCacheModule.forRoot({ onError: (error, failure) => void failures.push({ error, ...failure }) }),
      TurboCacheEventsModule.forRoot({ streams: { client, on: { users: { all: true } } } }),
    ],
  });
  await until('it is reported', () => failures.length === 1);
  expect(failures).toMatchObject([{ method: 'event users', error: { code: 'E_TURBOCACHE_REMOTE' } }]);
  await redis.restart();
  await until('it waits for entries', waits);
  await add('users', {});
  await until('it is applied', () => app.get(TurboCacheEvents).stats().evicted === 1);
  expect(failures).toHaveLength(1);
});

it('in an application of named managers only, entries drop from the one that they name', async () => {
  const client = await CLIENTS.ioredis();
  const told: string[] = [];
  const app = await start({
    imports: [
      ...['shop', 'other'].map((name) =>
        TurboCacheModule.forRoot({ name, onError: ({ message }) => void told.push(`${name}: ${message}`) }),
      ),
      TurboCacheEventsModule.forRoot({ streams: { client, on: { evictions: 'eviction' }, caches: ['shop'] } }),
    ],
  });
  await until('the stream is waited for', waits);
  const [shop, events] = [app.get<CacheManager>(getCacheToken('shop')), app.get(TurboCacheEvents)];
  await shop.set('a', 1);
  await add('evictions', { all: true });
  await until('it is counted', () => events.stats().malformed === 1);
  expect(await shop.get('a')).toBe(1);
  expect(told).toEqual(['shop: A message on "evictions" names no cache; expected one of shop (the option `caches`).']);
  await add('evictions', { all: true, cache: 'shop' });
  await until('it is applied', () => events.stats().evicted === 1);
  expect(await shop.get('a')).toBeUndefined();
});

it.each<[string, object, string]>([
  ['no client', { on: { a: { all: true } } }, 'streams.client'],
  ['a client that is none', { client: {}, on: { a: { all: true } } }, 'streams.client'],
  ['no rules', { client: { call() {} }, on: {} }, 'streams.on'],
  ['rules that are none', { client: { call() {} }, on: 5 }, 'streams.on'],
  ['an empty field', { client: { call() {} }, on: { a: { all: true } }, field: '' }, 'streams.field'],
  ['a misspelt option', { client: { call() {} }, on: { a: { all: true } }, cashes: [] }, 'streams.cashes'],
])('%s ends the start', async (_, streams, option) => {
  const imports = [TurboCacheModule.forRoot(), TurboCacheEventsModule.forRoot({ streams } as never)];
  expect(await start({ imports }).catch((cause: unknown) => cause)).toMatchObject({
    code: 'E_TURBOCACHE_OPTION',
    option,
  });
});
