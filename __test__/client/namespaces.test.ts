import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from '../../node/client';
import type { FakeEngine } from './fake-binding';
import { makeManager, turns } from './fixture';

afterEach(() => {
  vi.useRealTimers();
});

describe('named caches and namespaces', () => {
  it('are key spaces of their own, nested by name', async () => {
    const { manager } = makeManager({ namespace: 'shop' });
    const users = manager.cache('users');
    const eu = users.namespace('eu');
    await Promise.all([manager.set('k', 0), users.set('k', 1), eu.set('k', 2)]);
    expect([await manager.get('k'), await users.get('k'), await eu.get('k')]).toEqual([0, 1, 2]);
    expect([manager.namespacePath, users.namespacePath, eu.namespacePath]).toEqual([
      'shop',
      'shop/users',
      'shop/users/eu',
    ]);
    expect(makeManager().manager.cache('a').namespace('b').namespacePath).toBe('a/b');
  });

  it('of the same name are the same cache, and cache(x) and namespace(x) one key space', async () => {
    const { manager } = makeManager();
    const options = { ttl: '10m' } as const;
    const users = manager.cache('users', options);
    expect(manager.cache('users')).toBe(users);
    expect(manager.cache('users', { ttl: 600_000, reads: 'copy' })).toBe(users);
    expect(manager.namespace('users')).toBe(manager.namespace('users'));
    await users.set('k', 1);
    expect(await manager.namespace('users').get('k')).toBe(1);
    expect(await manager.namespace('users').get('k')).toBe(1);
    await users.delete('k');
    expect(await manager.namespace('users').get('k')).toBeUndefined();
  });

  it('with other options, another serializer or another way of reading clash', () => {
    const { manager } = makeManager();
    manager.cache('users', { ttl: '10m' });
    manager.cache('plain');
    manager.namespace('plain').namespace('x');
    const clashes = [
      () => manager.cache('users', { ttl: '11m' }),
      () => manager.cache('users', {}),
      () => manager.cache('plain', { ttl: '1m' }),
      () => manager.cache('plain').cache('x', { reads: 'frozen' }),
      () =>
        manager
          .cache('plain')
          .cache('x', { serializer: { id: 200, name: 'x', serialize: String, deserialize: String } }),
    ];
    for (const clash of clashes) {
      expect(clash).toThrow(ConfigurationError);
      expect(clash).toThrow(expect.objectContaining({ code: 'E_TURBOCACHE_CLASH' }));
    }
  });

  it.each(['', 5, undefined, 'x'.repeat(257), 'a\ud800'])('%j is no name', (name) => {
    const { manager } = makeManager();
    for (const open of [() => manager.cache(name as string), () => manager.namespace(name as string)]) {
      expect(open).toThrow(expect.objectContaining({ code: 'E_TURBOCACHE_OPTION', option: 'name' }));
    }
  });

  it('options that cannot be right are refused where the cache is made', () => {
    const { manager } = makeManager();
    expect(() => manager.cache('a', { ttl: 0 })).toThrow(
      expect.objectContaining({ code: 'E_TURBOCACHE_DURATION', option: 'ttl' }),
    );
    expect(() => manager.cache('a', { tll: 5 } as never)).toThrow(
      expect.objectContaining({ option: 'tll', expected: 'ttl' }),
    );
    expect(manager.cache('a', { ttl: 5 })).toBeDefined();
  });

  it('clear() drops the namespace and those nested in it, and no other', async () => {
    const { manager } = makeManager();
    const a = manager.namespace('a');
    const ab = a.namespace('b');
    const other = manager.namespace('ab');
    for (const cache of [manager, a, ab, other]) {
      await cache.set('k', 1);
      await cache.get('k');
    }
    const clearing = a.clear();
    expect([manager.peek('k'), a.peek('k'), ab.peek('k'), other.peek('k')]).toEqual([1, undefined, undefined, 1]);
    await clearing;
    expect(manager.stats().hot.entries).toBe(2);
    await manager.clear();
    expect(other.peek('k')).toBeUndefined();
    expect(manager.stats().hot.entries).toBe(0);
  });
});

describe('many keys', () => {
  it('are read in their order, twice where asked twice, each value the caller’s own', async () => {
    const { manager } = makeManager();
    await manager.setMany([{ key: 'a', value: { n: 1 } }, { key: 'b', value: { n: 2 } }]); // prettier-ignore
    const [b, missing, a, again] = await manager.getMany<{ n: number }>(['b', 'x', 'a', 'b']);
    expect([b, missing, a, again]).toEqual([{ n: 2 }, undefined, { n: 1 }, { n: 2 }]);
    expect(b).not.toBe(again);
  });

  it('are removed, and those that there were are counted once', async () => {
    const { manager } = makeManager();
    await manager.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2 }]); // prettier-ignore
    expect(await manager.deleteMany(['a', 'x', 'b', 'a'])).toBe(2);
  });

  it('that are missing are loaded by one call, from a Map, an object or an array', async () => {
    for (const give of [
      (keys: string[]) => new Map(keys.map((key) => [key, { from: key }])),
      (keys: string[]) => Object.fromEntries(keys.map((key) => [key, { from: key }])),
      (keys: string[]) => Promise.resolve(keys.map((key) => ({ from: key }))),
    ]) {
      const { manager } = makeManager();
      await manager.set('known', 'here');
      const asked: string[][] = [];
      const load = (keys: string[]): any => (asked.push([...keys]), give(keys));
      const values = await manager.getOrSetMany<any>(['a', 'known', 'b', 'a'], load);
      expect(values).toEqual([{ from: 'a' }, 'here', { from: 'b' }, { from: 'a' }]);
      expect(values[0]).not.toBe(values[3]);
      expect(asked).toEqual([['a', 'b']]);
      expect(await manager.getOrSetMany(['b', 'a'], load)).toEqual([{ from: 'b' }, { from: 'a' }]);
      expect(asked).toHaveLength(1);
    }
  });

  it('left out by the loader are undefined and not stored, also names that every object has', async () => {
    const { manager } = makeManager();
    expect(await manager.getOrSetMany(['a', 'toString', '__proto__'], () => ({ a: 1 }))).toEqual([
      1,
      undefined,
      undefined,
    ]);
    expect(manager.peek('toString')).toBeUndefined();
  });

  it('join loads that are under way', async () => {
    const { manager } = makeManager();
    let finish!: (value: string) => void;
    const single = manager.getOrSet('a', () => new Promise<string>((resolve) => (finish = resolve)));
    const asked: string[][] = [];
    const many = manager.getOrSetMany<string>(['a', 'b'], (keys) => (asked.push(keys), keys));
    await expect.poll(() => asked).toEqual([['b']]);
    finish('from the single load');
    expect(await many).toEqual(['from the single load', 'b']);
    expect(await single).toBe('from the single load');
  });

  describe('that are not answered in time', () => {
    const gathering = async (): Promise<{ engine: FakeEngine; asked: string[][]; many: Promise<unknown> }> => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
      engine.hold = ({ key }) => key === 'b';
      const asked: string[][] = [];
      const many = manager.getOrSetMany<string>(['a', 'b'], (keys) => (asked.push([...keys]), keys));
      await turns();
      expect(asked).toEqual([]);
      vi.advanceTimersByTime(5);
      return { engine, asked, many };
    };

    it('but in the turn in which the time is over are loaded by the same call', async () => {
      const { engine, asked, many } = await gathering();
      engine.release();
      expect(await many).toEqual(['a', 'b']);
      await turns();
      expect(asked).toEqual([['a', 'b']]);
    });

    it('keep the others waiting no longer, and are loaded by a second call', async () => {
      const { engine, asked, many } = await gathering();
      await turns();
      expect(asked).toEqual([['a']]);
      engine.release();
      await turns();
      vi.advanceTimersByTime(5);
      expect(await many).toEqual(['a', 'b']);
      expect(asked).toEqual([['a'], ['b']]);
    });
  });

  it('whose loader fails or gives something else fail', async () => {
    const { manager } = makeManager();
    const failure = new Error('origin down');
    await expect(manager.getOrSetMany(['a', 'b'], () => Promise.reject(failure))).rejects.toBe(failure);
    await expect(manager.getOrSetMany(['a', 'b'], () => [1])).rejects.toMatchObject({ option: 'loadMissing' });
    await expect(manager.getOrSetMany(['a', 'b'], () => 5 as never)).rejects.toMatchObject({ option: 'loadMissing' });
    expect(await manager.getOrSetMany([], () => ({}))).toEqual([]);
  });
});
