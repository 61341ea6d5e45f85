/** The promises of `Cache`, through the public API, on the real engine, in every arrangement of tiers. */
import type { CacheManager } from 'turbocache-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { arrangements } from './arrangements';
import { heldLoader, turns } from './fixture';

const { all: topologies, make, namespace } = arrangements();

afterEach(() => {
  vi.useRealTimers();
});

describe.each(topologies)('with %s', (name, topology) => {
  const isRemote = /Redis|adapter/.test(name);
  const canPeek = name !== 'Redis alone';

  it('a value that was set is read, in every way there is', async () => {
    const manager = topology();
    await manager.ready();
    const value = { a: [1, null, 'é😀'], b: { c: true } };
    await manager.set('k', value);
    expect(await manager.get('k')).toEqual(value);
    expect(await manager.get('k')).toEqual(value);
    if (canPeek) expect(manager.peek('k')).toEqual(value);
    expect(await manager.has('k')).toBe(true);
    expect(await manager.getMany(['k', 'missing', 'k'])).toEqual([value, undefined, value]);
    expect(await manager.getOrSet('k', () => 'not called')).toEqual(value);
    const entry = await manager.getEntry('k');
    expect(entry).toMatchObject({
      key: 'k',
      value,
      stale: false,
      tags: [],
      size: Buffer.byteLength(JSON.stringify(value)),
    });
    expect(entry!.ttl).toBeGreaterThan(295_000);
  });

  it('null is a value; a miss is undefined', async () => {
    const manager = topology();
    await manager.ready();
    await manager.set('k', null);
    expect([await manager.get('k'), await manager.has('k')]).toEqual([null, true]);
    expect([await manager.get('l'), await manager.has('l'), manager.peek('l')]).toEqual([undefined, false, undefined]);
    expect(await manager.getEntry('l')).toBeUndefined();
  });

  it('what is deleted is gone, and what is expired too', async () => {
    const manager = topology();
    await manager.ready();
    await manager.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2 }, { key: 'c', value: 3 }]); // prettier-ignore
    expect(await manager.delete('a')).toBe(true);
    expect(await manager.delete('a')).toBe(false);
    expect(await manager.expire('b')).toBe(true);
    expect(await manager.expire('missing')).toBe(false);
    expect(await manager.deleteMany(['a', 'c'])).toBe(1);
    expect(await manager.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined]);
  });

  it('a ttl ends an entry in every tier', async () => {
    const manager = topology();
    await manager.ready();
    const begin = performance.now();
    await manager.set('k', 1, { ttl: 60 });
    await manager.set('lasts', 1);
    const found = await manager.get('k');
    // A machine that was busy for so long has seen its end already.
    expect(performance.now() - begin < 60 ? found : 1).toBe(1);
    await expect.poll(() => manager.get('k'), { interval: 10 }).toBeUndefined();
    expect([await manager.has('k'), await manager.has('lasts')]).toEqual([false, true]);
    expect(performance.now() - begin).toBeGreaterThan(59);
  });

  it('values above every buffer are whole', async () => {
    const manager = topology();
    await manager.ready();
    const values = ['x'.repeat(32 << 10), 'é'.repeat(500_000), { deep: 'y'.repeat(300_000) }];
    await manager.setMany(values.map((value, n) => ({ key: `k${n}`, value })));
    expect(await manager.getMany(values.map((_, n) => `k${n}`))).toEqual(values);
    expect(await manager.getOrSet('l', () => 'z'.repeat(100_000))).toHaveLength(100_000);
    await turns();
    expect(await manager.get('l')).toHaveLength(100_000);
  });

  it('tags drop what carries them', async () => {
    const manager = topology();
    await manager.ready();
    await manager.setMany([
      { key: 'a', value: 1, tags: ['x', 'y'] },
      { key: 'b', value: 2, tags: ['y'] },
      { key: 'c', value: 3 },
    ]);
    expect(await manager.getMany(['a', 'b', 'c'])).toEqual([1, 2, 3]);
    expect((await manager.getEntry('a'))!.tags).toEqual(['x', 'y']);
    await manager.invalidateTags(['x']);
    expect(await manager.getMany(['a', 'b', 'c'])).toEqual([undefined, 2, 3]);
    await manager.getOrSet('d', ({ setTags }) => { setTags(['y', 'z']); return 4; }); // prettier-ignore
    await turns();
    await manager.invalidateTags(['y']);
    expect(await manager.getMany(['a', 'b', 'c', 'd'])).toEqual([undefined, undefined, 3, undefined]);
  });

  it('clear drops a namespace and what is nested in it', async () => {
    const manager = topology();
    await manager.ready();
    const users = manager.cache('users', { ttl: '1h' });
    const nested = users.namespace('eu');
    for (const cache of [manager, users, nested]) await cache.set('k', cache.namespacePath);
    await users.clear();
    expect([await users.get('k'), await nested.get('k')]).toEqual([undefined, undefined]);
    expect(await manager.get('k')).toBe(manager.namespacePath);
    await manager.clear();
    expect(await manager.get('k')).toBeUndefined();
  });

  it('one load serves all callers, stores, and is not repeated', async () => {
    const manager = topology();
    await manager.ready();
    const load = heldLoader<{ n: number }>();
    const calls = [1, 2, 3].map(() => manager.getOrSet('k', load.loader, { tags: ['t'] }));
    await load.called;
    load.resolve({ n: 1 });
    const values = await Promise.all(calls);
    expect(values).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
    expect(new Set(values).size).toBe(3);
    expect(await manager.getOrSet('k', () => ({ n: 2 }))).toEqual({ n: 1 });
    expect(load.calls).toBe(1);
  });

  it('many missing keys are one load', async () => {
    const manager = topology();
    await manager.ready();
    await manager.set('b', 'known');
    // What is not answered in time goes in a second call: here time stands still.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const asked: string[][] = [];
    const load = (keys: string[]): string[] => (asked.push(keys), keys);
    expect(await manager.getOrSetMany(['a', 'b', 'c', 'a'], load)).toEqual(['a', 'known', 'c', 'a']);
    expect(await manager.getOrSetMany(['a', 'b', 'c'], load)).toEqual(['a', 'known', 'c']);
    expect(asked).toEqual([['a', 'c']]);
  });

  it.each<[string, (manager: CacheManager) => Promise<unknown>]>([
    ['delete', (manager) => manager.delete('k')],
    ['expire', (manager) => manager.expire('k')],
    ['clear', (manager) => manager.clear()],
    ['a tag', (manager) => manager.invalidateTags(['t'])],
  ])('law 2: %s during a load keeps its value out; a call behind it loads anew', async (_, invalidate) => {
    const manager = topology();
    await manager.ready();
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', old.loader, { tags: ['t'] });
    await old.called;
    const done = invalidate(manager);
    const after = manager.getOrSet('k', () => 'new', { tags: ['t'] });
    await turns();
    old.resolve('old');
    expect(await before).toBe('old');
    expect(await after).toBe('new');
    await done;
    await turns();
    // The remote tier's half of a clear or a tag ends behind the second load: then that may be gone as well.
    expect(['new', undefined]).toContain(await manager.get('k'));
    expect(['new', 'newer']).toContain(await manager.getOrSet('k', () => 'newer'));
  });

  it('a set during a load wins', async () => {
    const manager = topology();
    await manager.ready();
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', old.loader);
    await old.called;
    await manager.set('k', 'set');
    old.resolve('old');
    expect(await before).toBe('old');
    await turns();
    expect(await manager.get('k')).toBe('set');
  });

  it('a failing load frees the next', async () => {
    const manager = topology();
    await manager.ready();
    const failure = new Error('origin down');
    for (let n = 0; n < 3; n++)
      await expect(manager.getOrSet('k', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await manager.getOrSet<unknown>('k', () => undefined)).toBeUndefined();
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
  });

  it('in its grace a value is no hit, but helps when the loader fails or is slow', async () => {
    const manager = topology({ grace: '1m' });
    await manager.ready();
    await manager.set('k', 'old', { ttl: 30 });
    await expect.poll(() => manager.get('k'), { interval: 10 }).toBeUndefined();
    const slow = heldLoader<string>();
    expect(await manager.getOrSet('k', slow.loader, { softTimeout: 1 })).toBe('old');
    // The others are not kept waiting, neither for the slow load nor for one of their own.
    slow.resolve('new');
    await expect.poll(() => manager.get('k')).toBe('new');
    expect(await manager.expire('k')).toBe(true);
    expect(await manager.get('k')).toBeUndefined();
    expect(await manager.getOrSet('k', ({ stale }) => `${stale}er`)).toBe('newer');
  });

  it('a reload ahead of time replaces the value behind its callers', async () => {
    // Due after 36 ms, and over after an hour: whoever gets a new value has not waited for it.
    const manager = topology({ ttl: '1h', eagerRefresh: 0.000_01 });
    await manager.ready();
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
    const reload = heldLoader<number>();
    const ask = (): Promise<number> => manager.getOrSet('k', reload.loader);
    // Without memory, who asks during the reload joins it.
    if (!canPeek) reload.resolve(2);
    while (reload.calls === 0) {
      expect(canPeek ? [1] : [1, 2]).toContain(await ask());
      await turns();
    }
    if (canPeek) expect(await ask()).toBe(1);
    expect(reload.calls).toBe(1);
    reload.resolve(2);
    await expect.poll(ask, { interval: 5 }).toBe(2);
  });

  it('close() lets everything under way finish, whatever it is', async () => {
    const manager = topology();
    await manager.ready();
    const load = heldLoader<number>();
    const work = [
      manager.getOrSet('loaded', load.loader),
      ...Array.from({ length: 50 }, (_, n) => manager.set(`k${n}`, n)),
      ...Array.from({ length: 50 }, (_, n) => manager.get(`k${n}`)),
      manager.deleteMany(['k1', 'k2']),
      manager.clear(),
    ];
    const closing = manager.close();
    load.resolve(1);
    await Promise.all(work);
    await closing;
    await expect(manager.get('k')).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
  });

  it('counts what it does', async () => {
    const manager = topology();
    await manager.ready();
    await manager.set('k', 1);
    await manager.get('k');
    await manager.get('k');
    await manager.get('missing');
    const { hot, memory, remote, loads } = manager.stats();
    expect(hot.hits + memory.hits + remote.hits).toBe(2);
    expect(remote.state).toBe(isRemote ? 'up' : 'none');
    expect(loads).toEqual({ started: 0, failed: 0, refused: 0, shed: 0 });
  });
});

it('two managers of one namespace share memory, and neither serves what the other has dropped', async () => {
  const shared = namespace();
  const [a, b] = [make({ namespace: shared }), make({ namespace: shared })];
  await a.set('k', 1);
  expect(await b.get('k')).toBe(1);
  expect(b.peek('k')).toBe(1);
  await a.set('k', 2);
  expect(b.peek('k')).toBe(2);
  const deleting = b.delete('k');
  expect(b.peek('k')).toBeUndefined();
  await deleting;
  expect(a.peek('k')).toBeUndefined();
  const load = heldLoader<string>();
  const first = a.getOrSet('l', load.loader);
  await load.called;
  const second = b.getOrSet('l', () => 'second');
  load.resolve('first');
  expect(await Promise.all([first, second])).toEqual(['first', 'first']);
});

it('managers without a namespace keep their memory to themselves', async () => {
  const [a, b] = [make({}), make({})];
  await a.set('k', 1);
  expect(await b.get('k')).toBeUndefined();
});
