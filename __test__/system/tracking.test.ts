import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { CacheManager } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CacheManagerOptions, TurboCacheError } from '../../index';
import { commands, mentions, type Catch } from '../rig/catch';
import { startProxy, type FaultProxy } from '../rig/proxy';
import { startRedis, type RedisServer } from '../rig/redis';
import { startTimeAwake } from '../rig/time-awake';
import { Process, until } from './elsewhere';

// Other programs change keys in Redis, and know nothing of the cache.

let redis: RedisServer;
let other: Redis;
beforeAll(async () => {
  redis = await startRedis();
  other = new Redis(redis.port);
});
afterAll(async () => {
  other.disconnect();
  await redis.stop();
});

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const nameOf = (cache: CacheManager, key: string): string => `tc:{${cache.namespacePath}:${key}}:v`;

async function managerAt(url: string, options: CacheManagerOptions = {}): Promise<CacheManager> {
  const manager = new CacheManager({ namespace: randomUUID(), redis: { url }, ...options });
  open.push(() => manager.close());
  await manager.ready();
  return manager;
}

/** A manager whose connections go through a proxy that reads messages. */
async function behindProxy(): Promise<{ cache: CacheManager; proxy: FaultProxy }> {
  const proxy = await startProxy(redis.port, { messages: true });
  open.push(() => proxy.close());
  const cache = await managerAt(`redis://127.0.0.1:${proxy.port}`);
  return { cache, proxy };
}

/** The value is in Redis, and nowhere in the process. */
async function inRedisOnly(cache: CacheManager, key: string, value: unknown): Promise<void> {
  const writer = await managerAt(redis.url, { namespace: cache.namespacePath });
  await writer.set(key, value);
  await writer.close();
  await sleep(0);
  expect(cache.peek(key)).toBeUndefined();
}

const readsOf = (key: string) => commands(['MGET', 'GET'], key);
const fillsOf = (key: string) => commands(['EVAL'], "redis.call('GET', KEYS[2]) ~= ARGV[1]", key);

describe('what another program does in Redis', () => {
  it.each<[string, (name: string) => Promise<unknown>]>([
    ['set', (name) => other.set(name, 'anything')],
    ['del', (name) => other.del(name)],
    ['expire', (name) => other.pexpire(name, 1)],
    ['rename', (name) => other.rename(name, 'elsewhere')],
    ['a transaction', (name) => other.multi().del(name).set('unrelated', 1).exec()],
    ['a script', (name) => other.eval("return redis.call('DEL', KEYS[1])", 1, name)],
    ['flushdb', () => other.flushdb()],
  ])('(%s) drops the value from memory and from the hot tier', async (_, change) => {
    const cache = await managerAt(redis.url);
    for (let round = 0; round < 5; round++) {
      // Behind a FLUSHDB nothing that Redis says is believed until it is clear what it has lost, and what is written meanwhile may
      // be taken for something old.
      await until('it is held', async () => {
        await cache.set('k', { round });
        return (await cache.get<{ round: number }>('k'))?.round === round;
      });
      const before = cache.stats().invalidations.foreign;
      await change(nameOf(cache, 'k'));
      await until('it is gone', () => cache.peek('k') === undefined);
      // One that has a millisecond left may be read once more.
      await until('Redis has it no more', async () => (await cache.get('k')) === undefined);
      await until('it was pushed', () => cache.stats().invalidations.foreign > before);
    }
    expect(cache.stats().invalidations.tracking).toBe('on');
  });

  it('is seen by the next read, in the middle of a turn', async () => {
    const cache = await managerAt(redis.url);
    const elsewhere = new Process({});
    open.push(() => elsewhere.end());
    for (let round = 0; round < 5; round++) {
      await cache.set('k', round);
      expect(await cache.get('k')).toBe(round);
      const signal = new Int32Array(new SharedArrayBuffer(4));
      const deleted = elsewhere.run(
        async ({ require }, port, name) => {
          const client = new (require('ioredis').Redis)(port);
          await client.del(name);
          client.disconnect();
        },
        redis.port,
        nameOf(cache, 'k'),
      );
      // This turn does not end before the change has arrived.
      await new Promise((resolve) => setImmediate(resolve));
      const end = Date.now() + 10_000;
      while (cache.peek('k') !== undefined && Date.now() < end) Atomics.wait(signal, 0, 0, 1);
      expect(cache.peek('k')).toBeUndefined();
      await deleted;
    }
  });

  it('reaches the hot tier of a manager without memory', async () => {
    const cache = await managerAt(redis.url, { memory: false });
    await cache.set('k', 1);
    await until('it is in the hot tier', async () => (await cache.get('k')) === 1 && cache.peek('k') === 1);
    await other.del(nameOf(cache, 'k'));
    await until('it is gone', () => cache.peek('k') === undefined);
  });

  it('does not concern what the process itself writes, loads and reads', async () => {
    const cache = await managerAt(redis.url);
    // What is held before the bus is heard is dropped once.
    await until('it is kept', async () => (await cache.set('k', 1), await sleep(50), cache.peek('k') === 1));
    for (let n = 0; n < 50; n++) {
      await cache.getOrSet(`loaded ${n}`, () => n);
      await cache.set(`written ${n}`, n);
    }
    await cache.has('a round trip behind all of it');
    const kept = Array.from({ length: 50 }, (_, n) => [cache.peek(`loaded ${n}`), cache.peek(`written ${n}`)]);
    expect(kept).toEqual(Array.from({ length: 50 }, (_, n) => [n, n]));
    expect(cache.stats().invalidations.foreign).toBe(0);
  });
});

describe('a push', () => {
  const behind = async (told: Catch, answer: Catch): Promise<void> => {
    await told.caught;
    await until('it is behind the reply, on the same connection', () => told.isBehind(answer));
  };

  it('in one chunk with the reply to a read: what was read is not kept', async () => {
    const { cache, proxy } = await behindProxy();
    for (let round = 0; round < 10; round++) {
      const key = `k${round}`;
      await inRedisOnly(cache, key, 'old');
      const answer = proxy.hold('reply', readsOf(key));
      const read = cache.get(key);
      await answer.caught;
      const told = proxy.hold('push', mentions('invalidate', key), { every: true });
      await other.del(nameOf(cache, key));
      await behind(told, answer);
      told.release();
      answer.release();
      expect(['old', undefined]).toContain(await read);
      await cache.has('a round trip behind the push');
      expect(cache.peek(key)).toBeUndefined();
      expect(await cache.get(key)).toBeUndefined();
    }
  });

  it('that names nothing, in one chunk with the reply: what was read is not kept', async () => {
    const { cache, proxy } = await behindProxy();
    await inRedisOnly(cache, 'k', 'old');
    const answer = proxy.hold('reply', readsOf('k'));
    const read = cache.get('k');
    await answer.caught;
    const told = proxy.hold('push', (words) => words[0] === 'invalidate', { every: true });
    await other.flushall();
    await behind(told, answer);
    told.release();
    answer.release();
    await read;
    await cache.has('a round trip behind the push');
    expect(cache.peek('k')).toBeUndefined();
    expect(await cache.get('k')).toBeUndefined();
  });

  it('that comes while a value is on its way to Redis: what was stored over the change is removed', async () => {
    const { cache, proxy } = await behindProxy();
    for (let round = 0; round < 5; round++) {
      const key = `k${round}`;
      const fill = proxy.hold('request', fillsOf(key));
      const loading = cache.getOrSet(key, () => 'from before');
      await fill.caught;
      const { foreign } = cache.stats().invalidations;
      await other.set(nameOf(cache, key), 'changed');
      await until('it is heard', () => cache.stats().invalidations.foreign > foreign);
      fill.release();
      expect(await loading).toBe('from before');
      await until('Redis has it no more', async () => (await other.exists(nameOf(cache, key))) === 0);
      expect(await cache.getOrSet(key, () => 'new')).toBe('new');
    }
  });
});

describe('a connection', () => {
  it('that is cut between a read and its reply: nothing is kept, whatever happened meanwhile', async () => {
    const { cache, proxy } = await behindProxy();
    for (let round = 0; round < 5; round++) {
      const key = `k${round}`;
      await inRedisOnly(cache, key, 'old');
      const answer = proxy.hold('reply', readsOf(key));
      const read = cache.get(key);
      await answer.caught;
      proxy.cut({ which: 'commands' });
      answer.release();
      await other.del(nameOf(cache, key));
      expect(['old', undefined]).toContain(await read);
      await until('nothing is kept', () => cache.peek(key) === undefined);
      expect(await cache.get(key)).toBeUndefined();
    }
  });

  it('that is cut costs what is held, and tells again when it is back', async () => {
    const { cache, proxy } = await behindProxy();
    for (let round = 0; round < 5; round++) {
      await until('it is held', async () => (await cache.set('k', 1), cache.peek('k') === 1));
      proxy.cut({ which: 'commands', refuse: true });
      await other.del(nameOf(cache, 'k'));
      await until('it is not trusted', () => cache.peek('k') === undefined);
      proxy.heal();
      await until('Redis answers', () => cache.stats().remote.state === 'up');
    }
  });

  it('that swallows everything costs what is held within a second', async () => {
    const { cache, proxy } = await behindProxy();
    await until('it is held', async () => (await cache.set('k', 1), cache.peek('k') === 1));
    proxy.halfOpen('commands');
    const time = startTimeAwake();
    await other.del(nameOf(cache, 'k'));
    await until('it is not trusted', () => cache.peek('k') === undefined);
    expect(time.stop()).toBeLessThan(1_500);
    proxy.heal();
  });
});

describe('a Redis that does not tell', () => {
  const warningsOf = (cache: CacheManager): TurboCacheError[] => {
    const warnings: TurboCacheError[] = [];
    cache.on('warning', (warning) => warnings.push(warning));
    return warnings;
  };

  it('because of its rules is a warning with a code, and everything else goes on', async () => {
    await other.acl('SETUSER', 'untold', 'on', '>secret', '~*', '&*', '+@all', '-client|tracking');
    const cache = new CacheManager({ redis: { url: redis.url.replace('//', '//untold:secret@') } });
    open.push(() => cache.close());
    const warnings = warningsOf(cache);
    await until('it is named', () => warnings.length > 0);
    expect(warnings).toMatchObject([{ code: 'E_TURBOCACHE_REFUSED', option: 'client tracking' }]);
    expect(cache.stats().invalidations.tracking).toBe('refused');
    expect(await cache.getOrSet('k', () => 1)).toBe(1);
    expect(await cache.get('k')).toBe(1);
  });

  it('because it is not to is none', async () => {
    const cache = await managerAt(redis.url, { redis: { url: redis.url, tracking: false } });
    const warnings = warningsOf(cache);
    expect(cache.stats().invalidations.tracking).toBe('off');
    // What is held before the bus is heard is dropped once.
    await until('it is kept', async () => {
      await cache.set('k', 1);
      await other.del(nameOf(cache, 'k'));
      await cache.has('a round trip');
      return cache.peek('k') === 1;
    });
    expect(warnings).toEqual([]);
  });
});
