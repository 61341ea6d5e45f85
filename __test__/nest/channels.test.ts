import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { CacheManager } from 'turbocache-js';
import {
  type ChannelRules,
  type ChannelSubscriber,
  TurboCacheEvents,
  TurboCacheEventsModule,
} from 'turbocache-js/events';
import { getCacheToken, TurboCacheModule } from 'turbocache-js/nest';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../rig/redis';
import { until } from '../rig/until';
import { type Reported, start, stop } from './fixture';

// Messages on channels of a real Redis, heard through the clients that Node services have.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  await until('nobody listens', async () => ((await redis.cli('PUBSUB', 'CHANNELS')) as unknown[]).length === 0);
});

const CLIENTS = {
  ioredis: async (): Promise<ChannelSubscriber> => {
    const client = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 20 });
    client.on('error', () => {});
    ends.push(async () => client.disconnect());
    return client;
  },
  'node-redis': async (): Promise<ChannelSubscriber> => {
    const client = createClient({ url: redis.url, socket: { reconnectStrategy: () => 20 } });
    client.on('error', () => {});
    await client.connect();
    ends.push(async () => client.destroy());
    return client;
  },
};

interface Service {
  readonly cache: CacheManager;
  readonly users: CacheManager;
  readonly events: TurboCacheEvents;
  readonly failures: Reported[];
  readonly app: Awaited<ReturnType<typeof start>>;
}

async function service(subscriber: ChannelSubscriber, options: Omit<ChannelRules, 'subscriber'>): Promise<Service> {
  const failures: Reported[] = [];
  const app = await start({
    imports: [
      TurboCacheModule.forRoot({ onError: (error, failure) => void failures.push({ error, ...failure }) }),
      TurboCacheModule.forFeature(['users']),
      TurboCacheEventsModule.forRootAsync({ useFactory: () => ({ channels: { subscriber, ...options } }) }),
    ],
  });
  await until('the channels are heard', async () => {
    const heard = await redis.cli('PUBSUB', 'NUMSUB', ...Object.keys(options.on));
    return (heard as unknown[]).filter((_, i) => i % 2 === 1).every((count) => count === 1);
  });
  const [cache, users] = [app.get(CacheManager), app.get<CacheManager>(getCacheToken('users'))];
  return { app, cache, users, events: app.get(TurboCacheEvents), failures };
}

const publish = (channel: string, message: unknown): Promise<unknown> =>
  redis.cli('PUBLISH', channel, typeof message === 'string' ? message : JSON.stringify(message));

describe.each(Object.entries(CLIENTS))('%s', (_, connect) => {
  it('brings messages that say themselves what to drop', async () => {
    const { cache, users, events } = await service(await connect(), {
      on: { evictions: 'eviction' },
      caches: ['users'],
    });
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key, tags: [`tag ${key}`] })));
    await users.set('u', 1);
    await publish('evictions', { keys: ['a'], tags: ['tag b'] });
    await publish('evictions', { cache: 'users', all: true });
    await until('both are applied', () => events.stats().evicted === 2);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, 'c']);
    expect(await users.get('u')).toBeUndefined();
  });

  it('brings messages that are the payload of rules', async () => {
    const { cache, events } = await service(await connect(), {
      on: { 'shop:users': { key: 'user:#{payload.id}', tags: ['#{event}'] }, 'shop:all': [{ all: true }] },
    });
    await cache.set('user:1', 1);
    await cache.set('page', 1, { tags: ['shop%3Ausers'] });
    await cache.set('user:2', 2);
    await publish('shop:users', { id: 1 });
    await until('it is applied', () => events.stats().evicted === 1);
    expect(await cache.getMany(['user:1', 'page', 'user:2'])).toEqual([undefined, undefined, 2]);
    await publish('shop:all', 'null');
    await until('the other one is applied', () => events.stats().evicted === 2);
    expect(await cache.get('user:2')).toBeUndefined();
  });

  it('brings nonsense that is counted and reported, and harms nobody', async () => {
    const { cache, events, failures } = await service(await connect(), {
      on: { evictions: 'eviction', users: { key: 'user:#{payload.id}' } },
    });
    const nonsense = ['', '{', 'null', '[]', '5', '{}', '{"keys":"a"}', '{"keys":[1]}', '{"tags":[""]}', '{"all":1}'];
    nonsense.push('{"keys":["kept"],"patterns":["*"]}', '{"patterns":[]}');
    await cache.set('kept', 1);
    for (const message of [...nonsense, '{"all":true,"cache":"unheard"}']) await publish('evictions', message);
    await publish('users', 'not json');
    await publish('users', {});
    await cache.set('a', 1);
    await publish('evictions', { keys: ['a'] });
    await until('the last one is applied', () => events.stats().evicted === 1);
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.get('kept')).toBe(1);
    expect(events.stats()).toEqual({ received: 2, evicted: 1, failed: 1, malformed: nonsense.length + 2 });
    expect(failures).toHaveLength(nonsense.length + 3);
    expect(failures.filter(({ error }) => error.code === 'E_TURBOCACHE_ARGUMENT')).toHaveLength(nonsense.length + 2);
    expect(new Set(failures.map(({ method }) => method))).toEqual(new Set(['event evictions', 'event users']));
  });

  it('loses what is said while Redis is away, and then clears what its rules name if it is told to', async () => {
    const { cache, users, events } = await service(await connect(), {
      on: { users: { cache: 'users', key: 'user:#{payload.id}' } },
      afterGap: 'clear',
    });
    await users.set('user:1', 1);
    await cache.set('untouched', 1);
    await redis.restart();
    // A client that is closed once more while it connects has had two gaps.
    await until('the gap has ended', () => events.stats().evicted >= 1);
    expect(await users.get('user:1')).toBeUndefined();
    expect(await cache.get('untouched')).toBe(1);
    await users.set('user:1', 1);
    await until('it hears again', async () => (await publish('users', { id: 1 })) === 1);
    await until('it is applied', () => events.stats().evicted >= 2);
    expect(await users.get('user:1')).toBeUndefined();
  });

  it('is left alone when the application ends, except for the subscriptions', async () => {
    const { app } = await service(await connect(), { on: { evictions: 'eviction' } });
    await stop(app);
    await until('nobody listens', async () => (await publish('evictions', { all: true })) === 0);
  });
});

it('in an application of named managers only, their owners are told of nonsense, each of them once', async () => {
  const client = new Redis(redis.port, '127.0.0.1');
  ends.push(async () => client.disconnect());
  const told: string[] = [];
  const manager = (name: string) =>
    TurboCacheModule.forRoot({
      name,
      onError: (_, { method, cache }) => void told.push(`${name}: ${method}, ${cache}`),
    });
  const app = await start({
    imports: [
      manager('shop'),
      manager('sessions'),
      manager('other'),
      TurboCacheModule.forFeature(['users'], { manager: 'shop' }),
      TurboCacheEventsModule.forRoot({
        channels: {
          subscriber: client,
          on: {
            changes: [
              { cache: 'users', key: 'user:#{payload.id}' },
              { cache: 'users', tags: ['users'] },
              { cache: 'sessions', all: true },
            ],
          },
        },
      }),
    ],
  });
  await until('it is heard', async () => (await publish('changes', 'not json')) === 1);
  await until('it is counted', () => app.get(TurboCacheEvents).stats().malformed === 1);
  expect(told.toSorted()).toEqual(['sessions: event changes, sessions', 'shop: event changes, users']);
});

describe('messages that say themselves what to drop, in an application of named managers only', () => {
  const told: string[] = [];
  const manager = (name: string) =>
    TurboCacheModule.forRoot({ name, onError: (error) => void told.push(`${name}: ${error.message}`) });

  async function listen(options: Pick<ChannelRules, 'caches' | 'afterGap'>) {
    told.length = 0;
    const subscriber = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 20 });
    subscriber.on('error', () => {});
    ends.push(async () => subscriber.disconnect());
    const app = await start({
      imports: [
        manager('shop'),
        manager('other'),
        TurboCacheModule.forFeature(['users'], { manager: 'shop' }),
        TurboCacheEventsModule.forRoot({ channels: { subscriber, on: { evictions: 'eviction' }, ...options } }),
      ],
    });
    await until('it is heard', async () => String(await redis.cli('PUBSUB', 'NUMSUB', 'evictions')).endsWith('1'));
    const [shop, other, users] = ['shop', 'other', 'users'].map((name) => app.get<CacheManager>(getCacheToken(name)));
    return { shop: shop!, other: other!, users: users!, events: app.get(TurboCacheEvents) };
  }

  it('drop from the manager and from the cache that they name', async () => {
    const { shop, users, events } = await listen({ caches: ['shop', 'users'] });
    for (const cache of [shop, users]) await cache.setMany(['a', 'b'].map((key) => ({ key, value: key })));
    await publish('evictions', { cache: 'shop', keys: ['a'] });
    await publish('evictions', { cache: 'users', keys: ['b'] });
    await until('both are applied', () => events.stats().evicted === 2);
    expect(await shop.getMany(['a', 'b'])).toEqual([undefined, 'b']);
    expect(await users.getMany(['a', 'b'])).toEqual(['a', undefined]);
    expect(told).toEqual([]);
  });

  it('are nonsense when they name no cache, and the owners of all that they may name are told once', async () => {
    const { shop, other, events } = await listen({ caches: ['users', 'shop'] });
    for (const cache of [shop, other]) await cache.set('kept', 1);
    await publish('evictions', { all: true });
    await publish('evictions', { all: true, cache: 'other' });
    await until('both are counted', () => events.stats().malformed === 2);
    const expected = 'expected one of users, shop (the option `caches`).';
    expect(told).toEqual([
      `shop: A message on "evictions" names no cache; ${expected}`,
      `shop: A message on "evictions" names the cache "other"; ${expected}`,
    ]);
    expect([await shop.get('kept'), await other.get('kept')]).toEqual([1, 1]);
  });

  it('cost all that they may name, and nothing else, when some may be lost', async () => {
    const { shop, other, users, events } = await listen({ caches: ['shop', 'users'], afterGap: 'clear' });
    for (const cache of [shop, other, users]) await cache.set('a', 1);
    await redis.restart();
    await until('the gap has ended', () => events.stats().evicted >= 2);
    await until('both are empty', async () => !(await shop.has('a')) && !(await users.has('a')));
    expect(await other.get('a')).toBe(1);
  });

  it.each<[string, string[], string]>([
    ['nothing that they may name', [], 'the default manager'],
    ['a name that nobody has', ['shop', 'sessions'], 'the cache "sessions"'],
  ])('%s ends the start', async (_, caches, wanted) => {
    const starting = listen({ caches }).catch((cause: unknown) => cause);
    expect(await starting).toMatchObject({
      code: 'E_TURBOCACHE_OPTION',
      message: expect.stringContaining(`uses ${wanted}, which this application does not have`),
    });
  });
});

it('an application starts without Redis, and hears when it comes', async () => {
  await redis.kill();
  const client = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => {});
  ends.push(async () => client.disconnect());
  const app = await start({
    imports: [
      TurboCacheModule.forRoot(),
      TurboCacheEventsModule.forRoot({ channels: { subscriber: client, on: { evictions: 'eviction' } } }),
    ],
  });
  const cache = app.get(CacheManager);
  await cache.set('a', 1);
  await redis.restart();
  await until('it is heard', async () => (await publish('evictions', { keys: ['a'] })) === 1);
  await until('it is applied', async () => (await cache.get('a')) === undefined);
});

it('a subscription that the server refuses is reported', async () => {
  await redis.cli('ACL', 'SETUSER', 'deaf', 'on', '>secret', '+@all', '~*', 'resetchannels');
  const client = new Redis(redis.port, '127.0.0.1', { username: 'deaf', password: 'secret' });
  ends.push(async () => client.disconnect());
  const failures: Reported[] = [];
  const app = await start({
    imports: [
      TurboCacheModule.forRoot({ onError: (error, failure) => void failures.push({ error, ...failure }) }),
      TurboCacheEventsModule.forRoot({ channels: { subscriber: client, on: { evictions: 'eviction' } } }),
    ],
  });
  await until('it is reported', () => failures.length === 1);
  expect(failures).toMatchObject([{ method: 'event evictions', error: { code: 'E_TURBOCACHE_REMOTE' } }]);
  expect(failures[0]!.error.message).toContain('NOPERM');
  expect(app.get(TurboCacheEvents).stats().failed).toBe(1);
});
