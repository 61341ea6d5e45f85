import { randomUUID } from 'node:crypto';
import { CacheManager } from 'turbocache-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { CacheManagerOptions, TurboCacheError } from '../../index';
import { freePort } from '../rig/port';
import { startProxy } from '../rig/proxy';
import { RedisServer, startRedis } from '../rig/redis';
import { callEverything, LIMIT } from './call-everything';
import { Process, until, within } from './elsewhere';

// Law 9: a cache failure is not the caller's failure. Whatever happens to Redis, every call is answered in time.

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function redisServer(): Promise<RedisServer> {
  const redis = await startRedis();
  open.push(() => redis.stop());
  return redis;
}

interface Fixture {
  manager: CacheManager;
  errors: TurboCacheError[];
}

function manager(url: string, options: CacheManagerOptions = {}): Fixture {
  const manager = new CacheManager({ namespace: randomUUID(), redis: { url }, ...options });
  const errors: TurboCacheError[] = [];
  manager.on('error', (error) => errors.push(error));
  open.push(() => within(LIMIT * 2, 'close', manager.close()));
  return { manager, errors };
}

const isIn = (state: string, { manager }: Fixture): Promise<void> =>
  until(`the state is ${state}`, () => manager.stats().remote.state === state, 30_000);

/** While Redis is away the memory tier serves what is set, once the loss of the bus has been noticed. */
const keepsInMemory = (cache: CacheManager): Promise<void> =>
  until('memory serves', async () => {
    const value = randomUUID();
    await cache.set('kept', value);
    return (await cache.get('kept')) === value && cache.peek('kept') === value;
  });

/** What one process writes another one reads. */
async function expectShared(writer: CacheManager, url: string): Promise<void> {
  const reader = new Process({ namespace: writer.namespacePath, redis: { url } });
  open.push(() => reader.end());
  await reader.run(({ manager }) => manager.ready());
  await until('the other process reads what is written', async () => {
    const value = randomUUID();
    await writer.set('shared', value);
    return (await reader.run(({ manager }) => manager.get('shared'))) === value;
  });
}

describe('with Redis', () => {
  it('absent at the start everything answers, one event says so, and it is used as soon as it is there', async () => {
    const redis = new RedisServer(await freePort(), []);
    const fixture = manager(redis.url);
    const { errors } = fixture;
    await within(LIMIT, 'ready', fixture.manager.ready());
    await callEverything(fixture.manager);
    await isIn('down', fixture);
    await keepsInMemory(fixture.manager);
    for (let call = 0; call < 3; call++) await callEverything(fixture.manager);
    expect(errors.map(({ code }) => code)).toEqual(['E_TURBOCACHE_REMOTE']);

    await redis.start();
    open.push(() => redis.stop());
    await isIn('up', fixture);
    await expectShared(fixture.manager, redis.url);
    await callEverything(fixture.manager);
    expect(errors).toHaveLength(1);
  }, 90_000);

  it('killed everything answers, with one event each time; restarted, it is used again', async () => {
    const redis = await redisServer();
    const fixture = manager(redis.url);
    await fixture.manager.ready();
    await callEverything(fixture.manager);
    expect(fixture.errors).toEqual([]);

    for (let time = 1; time <= 2; time++) {
      await redis.kill('SIGKILL');
      await callEverything(fixture.manager);
      await isIn('down', fixture);
      await keepsInMemory(fixture.manager);
      for (let call = 0; call < 3; call++) await callEverything(fixture.manager);
      expect(fixture.errors.map(({ code }) => code)).toEqual(Array(time).fill('E_TURBOCACHE_REMOTE'));

      await redis.restart();
      await isIn('up', fixture);
      await callEverything(fixture.manager);
      await expectShared(fixture.manager, redis.url);
      expect(fixture.errors).toHaveLength(time);
      // The manager looks for changes of state once a second: a recovery that it has not seen is not told apart.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }
  }, 120_000);

  it('frozen everything answers, with one event; thawed, it is used again', async () => {
    const redis = await redisServer();
    const fixture = manager(redis.url);
    await fixture.manager.ready();
    await fixture.manager.set('before', 1);

    await redis.kill('SIGSTOP');
    await callEverything(fixture.manager);
    await isIn('down', fixture);
    await keepsInMemory(fixture.manager);
    for (let call = 0; call < 3; call++) await callEverything(fixture.manager);
    expect(fixture.errors.map(({ code }) => code)).toEqual(['E_TURBOCACHE_REMOTE']);

    await redis.kill('SIGCONT');
    await isIn('up', fixture);
    await expectShared(fixture.manager, redis.url);
    expect(fixture.errors).toHaveLength(1);
  }, 90_000);

  it('lost while a thousand calls are on their way, each of them answers', async () => {
    const redis = await redisServer();
    const { manager: cache } = manager(redis.url, { hot: false, memory: false });
    await cache.ready();
    const calls = Array.from({ length: 1_000 }, (_, index) => {
      const key = `k${index % 50}`;
      return [cache.get(key), cache.set(key, index), cache.getOrSet(key, () => index), cache.delete(key)];
    });
    await redis.kill('SIGKILL');
    const answers = await within(LIMIT, 'the calls', Promise.all(calls.flat()));
    expect(answers).toHaveLength(4_000);
    for (let index = 2; index < answers.length; index += 4) expect(answers[index]).toBeTypeOf('number');
  }, 60_000);

  it('restarted empty nothing old comes back', async () => {
    const redis = await redisServer();
    const fixture = manager(redis.url);
    const other = new Process({ namespace: fixture.manager.namespacePath, redis: { url: redis.url } });
    open.push(() => other.end());
    await fixture.manager.ready();
    await fixture.manager.set('k', 'old');
    expect(await other.run(({ manager }) => manager.get('k'))).toBe('old');
    await redis.restart();
    await isIn('up', fixture);
    await until('the other one sees the new server', () => {
      return other.run(async ({ manager }) => (await manager.get('k')) === undefined);
    });
    await until('this one, too', async () => (await fixture.manager.get('k')) === undefined);
    await expectShared(fixture.manager, redis.url);
  }, 60_000);

  it('flushed by an operator nothing old comes back', async () => {
    const redis = await redisServer();
    const { manager: cache } = manager(redis.url, { hot: false, memory: false });
    await cache.ready();
    await cache.set('k', 'old', { tags: ['t'] });
    await redis.cli('FLUSHALL');
    expect(await cache.get('k')).toBeUndefined();
    // Until it is clear that the server has none of the old, nothing that it says is believed; and what is written meanwhile may
    // be taken for that.
    await until('the new is believed', async () => {
      await cache.set('k', 'new', { tags: ['t'] });
      return (await cache.get('k')) === 'new';
    });
    await cache.invalidateTags(['t']);
    expect(await cache.get('k')).toBeUndefined();
  });
});

describe('with a connection', () => {
  it('that is cut again and again everything answers', async () => {
    const redis = await redisServer();
    const proxy = await startProxy(redis.port);
    open.push(() => proxy.close());
    const fixture = manager(`redis://127.0.0.1:${proxy.port}`);
    await fixture.manager.ready();
    for (let cut = 0; cut < 5; cut++) {
      const calls = callEverything(fixture.manager);
      proxy.cut();
      await calls;
    }
    await isIn('up', fixture);
    await expectShared(fixture.manager, redis.url);
  }, 90_000);

  it('that swallows everything everything answers, and a new one is used when it heals', async () => {
    const redis = await redisServer();
    const proxy = await startProxy(redis.port);
    open.push(() => proxy.close());
    const fixture = manager(`redis://127.0.0.1:${proxy.port}`);
    await fixture.manager.ready();
    proxy.halfOpen();
    await callEverything(fixture.manager);
    await isIn('down', fixture);
    expect(fixture.errors).toHaveLength(1);
    proxy.heal();
    await isIn('up', fixture);
    await expectShared(fixture.manager, redis.url);
  }, 90_000);

  it('that loses a reply nobody gets the answer to another question', async () => {
    const redis = await redisServer();
    const proxy = await startProxy(redis.port);
    open.push(() => proxy.close());
    const fixture = manager(`redis://127.0.0.1:${proxy.port}`, { hot: false, memory: false });
    await fixture.manager.ready();
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    await fixture.manager.setMany(keys.map((key) => ({ key, value: key })));
    for (let lost = 0; lost < 3; lost++) {
      proxy.dropReplies();
      const rounds = await within(LIMIT, 'reads', Promise.all(keys.map((key) => fixture.manager.get(key))));
      for (const [index, value] of rounds.entries()) expect([undefined, keys[index]]).toContain(value);
      await until('values are read again', async () => (await fixture.manager.get('k7')) === 'k7');
    }
  }, 60_000);

  it('that is slow values still come', async () => {
    const redis = await redisServer();
    const proxy = await startProxy(redis.port);
    open.push(() => proxy.close());
    const url = `redis://127.0.0.1:${proxy.port}`;
    const fixture = manager(url, { memory: false, hot: false, redis: { url, commandTimeout: '5s' } });
    await fixture.manager.ready();
    proxy.delay(100);
    await fixture.manager.set('k', 1);
    expect(await fixture.manager.get('k')).toBe(1);
    expect(fixture.errors).toEqual([]);
  }, 60_000);
});

describe('redis.required', () => {
  it('makes ready() reject while the server cannot be reached, and nothing else', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const { manager: cache } = manager(url, { redis: { url, required: true, connectTimeout: 300 } });
    await expect(within(LIMIT, 'ready', cache.ready())).rejects.toMatchObject({
      name: 'RemoteError',
      code: 'E_TURBOCACHE_REMOTE',
      option: 'redis.required',
    });
    await callEverything(cache);
  }, 60_000);

  it('lets ready() resolve when the server answers', async () => {
    const { url } = await redisServer();
    const { manager: cache } = manager(url, { redis: { url, required: true, connectTimeout: '10s' } });
    await within(12_000, 'ready', cache.ready());
    expect(cache.stats().remote.state).toBe('up');
  }, 30_000);
});
