import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheManager } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { commands } from '../rig/catch';
import { startProxy, type FaultProxy } from '../rig/proxy';
import { startRedis, type RedisServer } from '../rig/redis';
import { until } from './elsewhere';

// A connection whose deadline has passed is given up. What is under way on it is not waited for, and not executed later.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Two managers with different addresses share nothing: one behind a proxy, one that Redis always answers. */
async function pair(): Promise<{ cache: CacheManager; other: CacheManager; proxy: FaultProxy }> {
  const proxy = await startProxy(redis.port, { messages: true });
  open.push(() => proxy.close());
  const namespace = randomUUID();
  const [cache, other] = [`redis://127.0.0.1:${proxy.port}`, redis.url].map((url) => {
    const manager = new CacheManager({ namespace, redis: { url } });
    open.push(() => manager.close());
    return manager;
  });
  await Promise.all([cache!.ready(), other!.ready()]);
  return { cache: cache!, other: other!, proxy };
}

const settled = (cache: CacheManager): Promise<void> =>
  until('all is made good', () => cache.stats().remote.state === 'up' && cache.stats().invalidations.missed === 0);

it('a write that is under way on it is never executed behind later ones', async () => {
  const { cache, other, proxy } = await pair();
  for (let round = 0; round < 3; round++) {
    const key = `k${round}`;
    const write = proxy.hold('request', commands(['SET'], key));
    const setting = cache.set(key, 'old');
    await write.caught;
    await setting;
    await settled(cache);
    await other.set(key, 'new');
    await until('it reads the new one', async () => (await cache.get(key)) === 'new');
    // The old connection goes on.
    write.release();
    await sleep(20);
    await cache.has('a round trip');
    const value = await redis.cli('GET', `tc:{${cache.namespacePath}:${key}}:v`);
    expect(String(value)).toContain('"new"');
    expect(await other.get(key)).toBe('new');
  }
});

it('a change that is under way on it has failed before anything is read on the next one', async () => {
  const { cache, proxy } = await pair();
  for (let round = 0; round < 3; round++) {
    const [a, b] = [`a${round}`, `b${round}`];
    await settled(cache);
    for (const key of [a, b]) await cache.set(key, 'old');
    const change = proxy.hold('request', commands(['UNLINK', 'DEL'], a));
    const first = cache.delete(a);
    await change.caught;
    await sleep(300);
    // Behind the first on the same connection, with a later deadline.
    const second = cache.delete(b);
    await first;
    expect(await cache.get(b)).toBeUndefined();
    expect(await cache.get(a)).toBeUndefined();
    await second;
    change.release();
    await settled(cache);
    expect([await cache.get(a), await cache.get(b)]).toEqual([undefined, undefined]);
  }
});

it('what waits for the next one leaves in its order', async () => {
  const { cache, other, proxy } = await pair();
  for (let round = 0; round < 5; round++) {
    const key = `k${round}`;
    await other.set(key, 'old');
    await until('it is read', async () => (await cache.get(key)) === 'old');
    const greeting = proxy.hold('reply', commands(['CLIENT'], 'INFO'));
    proxy.cut({ which: 'commands' });
    const deleting = cache.delete(key);
    await greeting.caught;
    const reading = cache.get(key);
    // Its batch waits behind that of the deletion.
    await sleep(20);
    greeting.release();
    expect(await reading).toBeUndefined();
    await deleting;
  }
});
