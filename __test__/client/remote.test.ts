import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ICacheAdapter } from '../../index';
import { CacheManager, MemoryAdapter, RemoteError } from '../../node/client';
import { AdapterItem, Op } from '../../node/client/native';
import { heldLoader, makeManager, turns } from './fixture';

const redis = { url: 'redis://h' };

afterEach(() => {
  vi.useRealTimers();
});

describe('a failing remote tier', () => {
  it('is not the caller’s failure, and is reported once', async () => {
    const { manager, engine, errors } = makeManager({ redis });
    engine.fail = () => 'E_TURBOCACHE_REMOTE';
    engine.state = 'down';
    expect(await manager.get('k')).toBeUndefined();
    expect(await manager.has('k')).toBe(false);
    expect(await manager.getEntry('k')).toBeUndefined();
    expect(await manager.delete('k')).toBe(false);
    await manager.set('k', 1);
    await manager.invalidateTags(['t']);
    await manager.clear();
    expect(await manager.getOrSet('k', () => 'loaded')).toBe('loaded');
    await turns();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(RemoteError);
  });

  it('other failures of a request are its caller’s', async () => {
    const { manager, engine } = makeManager({ redis });
    engine.fail = () => 'E_TURBOCACHE_VALUE_TOO_LARGE';
    await expect(manager.set('k', 1)).rejects.toMatchObject({
      code: 'E_TURBOCACHE_VALUE_TOO_LARGE',
      message: 'told to fail',
    });
    engine.fail = () => 'E_TURBOCACHE_CLOSED';
    await expect(manager.getOrSet('k', () => 1)).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
  });

  it('is noticed without a call, and again after it was up', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { engine, errors } = makeManager({ redis });
    const states = ['up', 'down', 'down', 'up', 'down', 'connecting', 'down'] as const;
    for (const state of states) {
      engine.state = state;
      vi.advanceTimersByTime(1_000);
    }
    await turns();
    expect(errors).toHaveLength(2);
  });

  it('a single failure is no event while the tier counts as up', async () => {
    const { manager, engine, errors } = makeManager({ redis });
    engine.fail = () => 'E_TURBOCACHE_REMOTE';
    expect(await manager.get('k')).toBeUndefined();
    await turns();
    expect(errors).toEqual([]);
  });

  it('nobody listening is no reason to throw', async () => {
    const { manager, engine } = makeManager({ redis });
    manager.removeAllListeners();
    engine.state = 'down';
    engine.fail = () => 'E_TURBOCACHE_REMOTE';
    expect(await manager.get('k')).toBeUndefined();
    await turns();
  });
});

describe('ready()', () => {
  it('resolves at once without a remote tier', async () => {
    const { manager, engine } = makeManager();
    engine.state = 'down';
    await manager.ready();
  });

  it('resolves when the remote tier answers', async () => {
    const { manager, engine } = makeManager({ redis: { ...redis, required: true } });
    engine.state = 'connecting';
    const ready = manager.ready();
    await turns();
    engine.state = 'up';
    await ready;
  });

  it('rejects after connectTimeout when the server is required, and does not hang when it is not', async () => {
    const required = makeManager({ redis: { ...redis, required: true, connectTimeout: 20 } });
    required.engine.state = 'down';
    await expect(required.manager.ready()).rejects.toBeInstanceOf(RemoteError);
    const optional = makeManager({ redis: { ...redis, connectTimeout: 20 } });
    optional.engine.state = 'down';
    await optional.manager.ready();
  });
});

describe('an adapter', () => {
  const batch = async (
    adapter: ICacheAdapter,
    items: Parameters<ReturnType<typeof makeManager>['engine']['sendAdapterBatch']>[1],
  ) => {
    const { engine } = makeManager({ adapter });
    const answered = new Promise<void>((resolve) => (engine.onAdapterReply = resolve));
    engine.sendAdapterBatch(7, items);
    await answered;
    expect(engine.adapterReplies[0]!.batchId).toBe(7);
    return engine.adapterReplies[0]!;
  };

  it('answers batches of any mixture in their order', async () => {
    const calls: unknown[] = [];
    const memory = new MemoryAdapter();
    const adapter: ICacheAdapter = {
      name: 'spy',
      getMany: (keys) => (calls.push(['get', keys]), memory.getMany(keys)),
      setMany: (entries) => (calls.push(['set', entries.map(({ key, ttl }) => [key, ttl])]), memory.setMany(entries)),
      deleteMany: (keys) => (calls.push(['delete', keys]), memory.deleteMany(keys)),
    };
    const { items, error } = await batch(adapter, [
      { kind: AdapterItem.Set, key: 'a', value: Buffer.from('value of a'), ttl: 5_000 },
      { kind: AdapterItem.Set, key: 'é', value: Buffer.from('x') },
      { kind: AdapterItem.Get, key: 'a' },
      { kind: AdapterItem.Get, key: 'missing' },
      { kind: AdapterItem.Delete, key: 'é' },
      { kind: AdapterItem.Delete, key: 'é' },
      { kind: AdapterItem.Get, key: 'é' },
    ]);
    expect(error).toBeNull();
    expect(calls).toEqual([
      ['set', [['a', 5_000], ['é', null]]], // prettier-ignore
      ['get', ['a', 'missing']],
      ['delete', ['é', 'é']],
      ['get', ['é']],
    ]);
    const bytes = Buffer.from(items!);
    const results: [number, string][] = [];
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at + 4);
      results.push([bytes.readInt32LE(at), bytes.toString('utf8', at + 16, at + 16 + length)]);
      if (results.length === 3) expect(bytes.readDoubleLE(at + 8)).toBeGreaterThan(4_000);
      at = (at + 16 + length + 7) & ~7;
    }
    expect(results).toEqual([[1, ''], [1, ''], [1, 'value of a'], [0, ''], [1, ''], [0, ''], [0, '']]); // prettier-ignore
  });

  const get = [{ kind: AdapterItem.Get, key: 'a' }];
  it.each<[string, Partial<ICacheAdapter>, RegExp]>([
    ['throws', { getMany: () => { throw new Error('no luck'); } }, /no luck/], // prettier-ignore
    ['rejects', { getMany: () => Promise.reject(new Error('no luck')) }, /no luck/],
    ['gives too few answers', { getMany: () => Promise.resolve([]) }, /gave 0 answers; expected 1/],
    ['gives no list', { getMany: () => Promise.resolve(5 as never) }, /gave number answers/],
    ['gives text for bytes', { getMany: () => Promise.resolve([{ value: 'text' as never, ttl: 1 }]) }, /Uint8Array/],
  ])('that %s has failed as a remote tier, nothing else', async (_, broken, message) => {
    const { items, error } = await batch(Object.assign(new MemoryAdapter(), broken), get);
    expect(items).toBeNull();
    expect(error).toMatch(message);
  });

  it('that gives an expired entry gives none', async () => {
    const { items } = await batch(
      Object.assign(new MemoryAdapter(), { getMany: () => Promise.resolve([{ value: new Uint8Array(1), ttl: 0 }]) }),
      get,
    );
    expect(Buffer.from(items!).readInt32LE(0)).toBe(0);
  });
});

it('getEntry names the nearest tier, times and tags', async () => {
  const { manager, engine } = makeManager({ redis, ttl: 1_000, grace: 500 });
  expect(await manager.getEntry('k')).toBeUndefined();
  engine.putRemote('k', { a: 1 }, { ttl: 300, tags: ['x', 'y'] });
  expect(await manager.getEntry('k')).toEqual({
    key: 'k', value: { a: 1 }, tier: 'remote', ttl: 300, expiresIn: 300, stale: false, tags: ['x', 'y'], size: 7,
  }); // prettier-ignore
  await manager.set('k', 1, { ttl: null });
  expect(await manager.getEntry('k')).toMatchObject({ tier: 'memory', ttl: null, expiresIn: null, tags: [] });
  await manager.get('k');
  expect(await manager.getEntry('k')).toMatchObject({ tier: 'hot' });
  await manager.set('k', 1);
  engine.advance(1_200);
  expect(await manager.getEntry('k')).toMatchObject({ stale: true, ttl: -200, expiresIn: 300 });
});

it('the public class is what index.d.ts says: an emitter whose root is a cache', async () => {
  const { manager } = makeManager();
  expect(manager).toBeInstanceOf(CacheManager);
  expect(manager.namespacePath).toBe('');
  const load = heldLoader<number>();
  const call = manager.getOrSet('k', load.loader);
  load.resolve(1);
  expect(await call).toBe(1);
  expect(manager.stats().remote.state).toBe('none');
  expect(Op.Get).toBe(1);
});
