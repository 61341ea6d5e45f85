import { randomUUID } from 'node:crypto';
import { Cacheable } from 'cacheable';
import Keyv from 'keyv';
import { CacheableAdapter, CacheManager, KeyvAdapter, MemoryAdapter, MultiTierAdapter } from 'turbocache-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { CacheManagerOptions, ICacheAdapter, KeyvLike, TurboCacheError } from '../../index';
import { callEverything, LIMIT } from './call-everything';
import { until, within } from './elsewhere';

// Every adapter as the remote tier of real managers. That an adapter alone keeps its contract is tested beside the client.

const open: CacheManager[] = [];
afterEach(async () => {
  for (const manager of open.splice(0)) await within(2 * LIMIT, 'close', manager.close());
});

function manager(adapter: ICacheAdapter, options: CacheManagerOptions = {}): CacheManager {
  const made = new CacheManager({ namespace: 'shared', adapter, ...options });
  open.push(made);
  return made;
}

/** A store of its own, and any number of adapters over it. */
const stores: [string, () => () => ICacheAdapter][] = [
  ['MemoryAdapter', () => { const adapter = new MemoryAdapter(); return () => adapter; }],
  ['KeyvAdapter', () => { const store = new Map(); return () => new KeyvAdapter(new Keyv({ store }) as KeyvLike); }],
  ['CacheableAdapter', () => { const cacheable = new Cacheable(); return () => new CacheableAdapter(cacheable); }],
  [
    'MultiTierAdapter',
    () => {
      const store = new Map();
      return () => new MultiTierAdapter([new MemoryAdapter(), new KeyvAdapter(new Keyv({ store }) as KeyvLike)]);
    },
  ],
]; // prettier-ignore

describe.each(stores)('%s as the remote tier', (name, makeStore) => {
  /**
   * Two managers that share nothing but the store; `reader` always asks it. One after the other: a store that can only get
   * and set cannot decide who of two begins a namespace, and the values of who lost would be misses.
   */
  async function pair(options: CacheManagerOptions = {}): Promise<{ writer: CacheManager; reader: CacheManager }> {
    const adapter = makeStore();
    const shared = adapter();
    const writer = manager(shared, options);
    await writer.set('the namespace begins', 1);
    // The nearer tier of a MultiTierAdapter belongs to one process: there both managers use one.
    const nearby = name === 'MultiTierAdapter' ? shared : adapter();
    return { writer, reader: manager(nearby, { memory: false, hot: false, ...options }) };
  }

  it('a value loaded by one manager is a hit in another one, without a load', async () => {
    const { writer, reader } = await pair();
    const value = { text: 'é漢🙂', list: [null, 1.5, true] };
    expect(await writer.getOrSet('k', () => value, { tags: ['t'] })).toEqual(value);
    await until('it is stored', async () => (await reader.get('k')) !== undefined);
    expect(await reader.getOrSet('k', () => 'loaded again')).toEqual(value);
    expect(await reader.getEntry('k')).toMatchObject({ value, tier: 'remote', tags: ['t'] });
    expect(reader.stats().loads.started).toBe(0);
    expect(reader.stats().remote).toMatchObject({ rejected: 0, errors: 0, state: 'up' });
  });

  it('what one manager changes another one does not read any more', async () => {
    const { writer, reader } = await pair();
    const fill = (): Promise<void> => writer.set('k', 'old', { tags: ['t'] });
    for (const [change, after] of [
      [() => writer.set('k', 'new'), 'new'],
      [() => writer.delete('k'), undefined],
      [() => writer.expire('k'), undefined],
      [() => writer.deleteMany(['k', 'l']), undefined],
      [() => writer.invalidateTags(['t']), undefined],
      [() => writer.clear(), undefined],
    ] as const) {
      await fill();
      expect(await reader.get('k')).toBe('old');
      await change();
      expect(await reader.get('k')).toBe(after);
    }
    await fill();
    expect(await reader.get('k')).toBe('old');
  });

  it('namespaces, versions and nested namespaces do not meet', async () => {
    const adapter = makeStore();
    const shared = adapter();
    const isolated = { memory: false, hot: false } as const;
    const one = manager(shared, { ...isolated, namespace: 'a', version: 1 });
    const two = manager(shared, { ...isolated, namespace: 'a', version: 2 });
    await one.set('k', 'one');
    await one.namespace('nested').set('k', 'nested');
    expect(await two.get('k')).toBeUndefined();
    await two.set('k', 'two');
    await two.clear();
    await one.namespace('nested').clear();
    expect([await one.get('k'), await one.namespace('nested').get('k'), await two.get('k')]).toEqual([
      'one',
      undefined,
      undefined,
    ]);
  });

  it('a ttl ends the value, a grace keeps it for a loader that fails', async () => {
    const { writer, reader } = await pair();
    await writer.set('short', 1, { ttl: 150 });
    await writer.set('stale', 'old', { ttl: 150, grace: '1h' });
    await writer.set('for ever', 1, { ttl: null });
    await until('both are over', async () =>
      (await reader.getMany(['short', 'stale'])).every((value) => value === undefined),
    );
    expect(await reader.getOrSet('stale', () => Promise.reject(new Error('down')), { grace: '1h' })).toBe('old');
    await expect(reader.getOrSet('short', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await reader.getEntry('for ever')).toMatchObject({ value: 1, ttl: null, expiresIn: null });
  });

  it('100 callers of a cold key are one load', async () => {
    const { writer, reader } = await pair();
    for (const cache of [writer, reader]) {
      let loads = 0;
      const key = randomUUID();
      const load = async (): Promise<number> => {
        await new Promise(setImmediate);
        return ++loads;
      };
      expect(new Set(await Promise.all(Array.from({ length: 100 }, () => cache.getOrSet(key, load))))).toEqual(
        new Set([1]),
      );
    }
  });

  it('1,000 keys and a large value go through', async () => {
    const { writer, reader } = await pair();
    const keys = Array.from({ length: 1_000 }, (_, index) => `k${index}`);
    await writer.setMany(keys.map((key, index) => ({ key, value: index })));
    expect(await reader.getMany(keys)).toEqual(keys.map((_, index) => index));
    const large = 'é'.repeat(500_000);
    await writer.set('large', large);
    expect((await reader.get('large')) === large).toBe(true);
    expect(await writer.deleteMany(keys)).toBe(1_000);
    expect(await reader.getMany(keys)).toEqual(keys.map(() => undefined));
  });

  it('every method answers', async () => {
    const { writer, reader } = await pair();
    await callEverything(writer, { listsKeys: false });
    await callEverything(reader, { listsKeys: false });
  });
});

describe('an adapter whose store holds', () => {
  it.each<[string, (value: Uint8Array) => Uint8Array]>([
    ['foreign bytes', () => Buffer.from('not ours')],
    ['nothing', () => new Uint8Array()],
    ['a value that is cut off', (value) => value.subarray(0, -3)],
    ['a damaged value', (value) => value.map((byte, index) => (index === value.length - 10 ? byte ^ 1 : byte))],
  ])('%s: a counted miss, and the next load repairs it', async (_, damage) => {
    const adapter = new MemoryAdapter();
    const cache = manager(adapter, { memory: false, hot: false });
    const keys: string[] = [];
    const set = adapter.setMany.bind(adapter);
    adapter.setMany = (entries) => {
      keys.push(...entries.map(({ key }) => key));
      return set(entries);
    };
    await cache.set('k', { a: 'value' });
    const key = keys.find((key) => key.endsWith(':v'))!;
    const [entry] = await adapter.getMany([key]);
    await set([{ key, value: damage(entry!.value), ttl: entry!.ttl }]);
    expect(await cache.get('k')).toBeUndefined();
    expect(cache.stats().remote.rejected).toBe(1);
    expect(await cache.getOrSet('k', () => 'repaired')).toBe('repaired');
    await until('it is stored', async () => (await cache.get('k')) === 'repaired');
  });
});

/** An adapter over `MemoryAdapter` that misbehaves while `broken`. */
class Unreliable implements ICacheAdapter {
  readonly name = 'unreliable';
  broken = false;
  closed = 0;
  readonly #inner = new MemoryAdapter();

  constructor(readonly misbehave: () => Promise<never>) {}

  getMany(keys: readonly string[]): ReturnType<ICacheAdapter['getMany']> {
    return this.broken ? this.misbehave() : this.#inner.getMany(keys);
  }

  setMany(entries: Parameters<ICacheAdapter['setMany']>[0]): Promise<void> {
    return this.broken ? this.misbehave() : this.#inner.setMany(entries);
  }

  deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.broken ? this.misbehave() : this.#inner.deleteMany(keys);
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

describe('an adapter that', () => {
  it.each<[string, () => Promise<never>]>([
    ['rejects', () => Promise.reject(new Error('the store is down'))],
    ['rejects with something that is no error', () => Promise.reject('no error')],
    ['throws', () => { throw new Error('the store is down'); }],
    ['hangs', () => new Promise(() => {})],
    ['answers nonsense', () => Promise.resolve('nonsense' as never)],
    ['answers too little', () => Promise.resolve([] as never)],
  ])('%s is survived: everything answers, with one event, and it is used again when it works', async (_, misbehave) => {
    const adapter = new Unreliable(misbehave);
    const cache = manager(adapter);
    const errors: TurboCacheError[] = [];
    cache.on('error', (error) => errors.push(error));
    await callEverything(cache, { listsKeys: false });
    expect(errors).toEqual([]);

    adapter.broken = true;
    await callEverything(cache, { listsKeys: false });
    await callEverything(cache, { listsKeys: false });
    await until('it is told', () => errors.length > 0);
    expect(errors.map(({ code }) => code)).toEqual(['E_TURBOCACHE_REMOTE']);

    adapter.broken = false;
    await until('it is up', () => cache.stats().remote.state === 'up');
    const reader = manager(adapter, { memory: false, hot: false });
    await until('it is used', async () => (await cache.set('k', 'back'), (await reader.get('k')) === 'back'));
    await cache.close();
    expect(adapter.closed).toBe(1);
  }, 90_000); // prettier-ignore

  it('hangs does not keep close() waiting for ever', async () => {
    const adapter = new Unreliable(() => new Promise(() => {}));
    const cache = manager(adapter);
    adapter.broken = true;
    const calls = [cache.set('k', 1), cache.get('absent'), cache.getOrSet('l', () => 1)];
    await within(2 * LIMIT, 'close', cache.close());
    for (const call of await Promise.allSettled(calls)) {
      if (call.status === 'rejected') expect(call.reason).toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
    }
    expect(adapter.closed).toBe(1);
  }, 60_000);
});
