import { describe, expect, it, vi } from 'vitest';
import type { Cache, CacheManagerOptions, CacheOptions, Loader, MigrateOptions } from '../../index';
import { Op, RequestFlag } from '../../node/client/native';
import { SHORTCUTS, type Shortcuts } from '../../node/client/shortcuts';
import { heldLoader, makeManager, turns, type Fixture } from './fixture';

interface Deploys extends Fixture {
  /** The cache as the old deploy has it. */
  old: Cache;
  /** The same name in the new one. */
  users: Cache;
  /** Fails the test that calls it. */
  loader: Loader<never>;
}

/** Of the engine's namespaces, in the order in which they are opened; 0 is the manager's own. */
const [OLD, NEW] = [1, 2];

const rename = (old: { name: string }): unknown => ({ fullName: old.name });

/** Both in one process, which holds what the old one has in memory. */
function deploys(value: MigrateOptions['value'] = rename, cache: CacheOptions = {}): Deploys {
  return over({}, value, cache);
}

function over(
  options: CacheManagerOptions,
  value: MigrateOptions['value'] = rename,
  cache: CacheOptions = {},
): Deploys {
  const fixture = makeManager(options);
  const { manager } = fixture;
  const loader = (): never => {
    throw new Error('the loader was called');
  };
  const users = manager.cache('users', { version: 2, migrate: { from: 1, value }, ...cache });
  return { ...fixture, old: manager.cache('users', { version: 1 }), users, loader };
}

describe('a key that the version before has', () => {
  it('is taken over with its tags and what is left of its ttl, and the loader is not called', async () => {
    const { old, users, engine, loader } = deploys();
    await old.set('1', { name: 'Ada' }, { ttl: 10_000, tags: ['a', 'b'] });
    engine.advance(4_000);
    expect(await users.getOrSet('1', loader, { ttl: '1h' })).toEqual({ fullName: 'Ada' });
    expect(await users.getEntry('1')).toMatchObject({ value: { fullName: 'Ada' }, tags: ['a', 'b'], stale: false });
    const { ttl } = (await users.getEntry('1'))!;
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(6_000);
    expect(await old.get('1')).toEqual({ name: 'Ada' });
  });

  it('is given to the function with its key, and is its own', async () => {
    const asked: string[] = [];
    const { old, users, loader } = deploys((value: { name?: string }, { key }) => {
      asked.push(key);
      delete value.name;
      return value;
    });
    await old.set('1', { name: 'Ada' });
    expect(await users.getOrSet('1', loader)).toEqual({});
    expect(await users.getOrSet('1', loader)).toEqual({});
    expect(await old.get('1')).toEqual({ name: 'Ada' });
    expect(asked).toEqual(['1']);
  });

  it('may be null, and may be made by an asynchronous function', async () => {
    const { old, users, loader } = deploys(async (value) => value);
    await old.set('1', null);
    expect(await users.getOrSet('1', loader)).toBeNull();
    expect(users.peek('1')).toBeNull();
  });

  it('lives no longer than maxTtl, and for twelve days at most where nobody says how long', async () => {
    const { old, users, engine, loader } = deploys();
    await old.set('1', { name: 'Ada' }, { ttl: null });
    await users.getOrSet('1', loader);
    await turns();
    const { ttl } = engine.requestsOf(Op.Fill)[0]!;
    expect(ttl).toBeGreaterThan(2 ** 30 - 60_000);
    expect(ttl).toBeLessThanOrEqual(2 ** 30);
    await old.set('2', { name: 'Bob' }, { ttl: null });
    await users.getOrSet('2', loader, { maxTtl: '1m' });
    await turns();
    expect(engine.requestsOf(Op.Fill)[1]!.ttl).toBe(60_000);
  });

  it('is asked for with the life that Redis tells, whatever memory keeps of it', async () => {
    const { engine, users, loader } = over({ redis: { url: 'redis://h' } }, rename, { l1Ttl: '1s', l2Ttl: '1h' });
    engine.putRemote('1', { name: 'Ada' }, { path: 'users@1', ttl: 60_000 });
    await users.getOrSet('1', loader);
    await turns();
    expect(engine.requestsOf(Op.Entry)[0]).toMatchObject({ namespaceId: OLD, memoryTtl: -1 });
    const [fill] = engine.requestsOf(Op.Fill);
    expect(fill).toMatchObject({ namespaceId: NEW, memoryTtl: 1_000 });
    expect(fill!.ttl).toBeGreaterThan(30_000);
    expect(fill!.ttl).toBeLessThanOrEqual(60_000);
  });

  it('is not what get, has, peek, getMany and getEntry find', async () => {
    const { old, users } = deploys();
    await old.set('1', { name: 'Ada' });
    expect(await users.get('1')).toBeUndefined();
    expect(users.peek('1')).toBeUndefined();
    expect(await users.has('1')).toBe(false);
    expect(await users.getMany(['1'])).toEqual([undefined]);
    expect(await users.getEntry('1')).toBeUndefined();
  });

  it.each<[string, CacheOptions, MigrateOptions['from'], CacheOptions]>([
    ['a version', {}, 1, { version: 1 }],
    ['a schema', {}, { schema: { a: 1, b: 2 } }, { schema: { b: 2, a: 1 } }],
    ['a version and a schema', {}, { version: '1', schema: [] }, { version: 1, schema: [] }],
    ['nothing', {}, {}, {}],
  ])('is found where the old deploy had %s', async (_, __, from, before) => {
    const { manager } = makeManager();
    await manager.cache('users', before).set('1', 'old');
    const users = manager.cache('users', { version: 2, migrate: { from, value: (old: string) => `${old} value` } });
    expect(await users.getOrSet('1', () => 'loaded')).toBe('old value');
  });

  it('is taken over by getOrSetMany, and one call loads the rest', async () => {
    const { old, users } = deploys();
    await old.setMany(['a', 'c'].map((key) => ({ key, value: { name: key } })));
    const asked: string[][] = [];
    const load = (keys: string[]): unknown[] => (asked.push([...keys]), keys.map(() => 'loaded'));
    expect(await users.getOrSetMany(['a', 'b', 'c', 'd'], load)).toEqual([
      { fullName: 'a' },
      'loaded',
      { fullName: 'c' },
      'loaded',
    ]);
    expect(asked).toEqual([['b', 'd']]);
  });
});

describe('the loader is called', () => {
  it.each<[string, (deploys: Deploys) => unknown]>([
    ['for a key that is not there', () => undefined],
    ['for one that has ended', ({ engine }) => engine.advance(60_000)],
    ['for one in its grace', ({ engine }) => engine.advance(40_000)],
    ['for one that was expired', ({ old }) => old.expire('old')],
  ])('%s, and the function is not', async (name, change) => {
    const value = vi.fn(rename);
    const all = deploys(value);
    await all.old.set('old', { name: 'Ada' }, { ttl: 30_000, grace: 20_000 });
    await change(all);
    expect(await all.users.getOrSet(name.includes('not there') ? 'none' : 'old', () => 'loaded')).toBe('loaded');
    expect(value).not.toHaveBeenCalled();
  });

  it('where the function gives undefined, without a report', async () => {
    const { old, users, errors } = deploys(() => undefined);
    await old.set('1', { name: 'Ada' });
    expect(await users.getOrSet('1', () => 'loaded', { tags: ['t'] })).toBe('loaded');
    expect(await users.getEntry('1')).toMatchObject({ value: 'loaded', tags: ['t'] });
    await turns();
    expect(errors).toEqual([]);
  });

  it.each<[string, MigrateOptions['value'], object]>([
    ['throws', () => { throw new Error('unknown shape'); }, { message: 'unknown shape' }],
    ['rejects', () => Promise.reject(new Error('unknown shape')), { message: 'unknown shape' }],
    ['gives what cannot be stored', () => 1n, { code: 'E_TURBOCACHE_SERIALIZE' }],
  ])('where the function %s, and that is reported once a change of state', async (_, value, cause) => {
    const answers = [value, value, rename, value];
    const { old, users, errors } = deploys((...given) => answers.shift()!(...given));
    const keys = ['1', '2', '3', '4'];
    await old.setMany(keys.map((key) => ({ key, value: { name: 'Ada' } })));
    const values: unknown[] = [];
    for (const key of keys) values.push(await users.getOrSet(key, () => 'loaded'));
    expect(values).toEqual(['loaded', 'loaded', { fullName: 'Ada' }, 'loaded']);
    await turns();
    expect(errors.map(({ details }) => details['key'])).toEqual(['1', '4']);
    expect(errors[0]).toMatchObject({ code: 'E_TURBOCACHE_MIGRATE', option: 'migrate.value', cause });
  }); // prettier-ignore

  it('where the old entry lacks a tag that this version wants', async () => {
    const { old, users } = deploys();
    await old.set('1', { name: 'Ada' }, { tags: ['a', 'b'] });
    const tags = (value: { fullName?: string }): string[] => (value.fullName === 'Ada' ? ['b', 'c'] : []);
    expect(await users.getOrSet('1', () => 'loaded', { tags })).toBe('loaded');
    await old.set('2', { name: 'Ada' }, { tags: ['a', 'b', 'c'] });
    expect(await users.getOrSet('2', () => 'loaded', { tags })).toEqual({ fullName: 'Ada' });
  });

  it('where this version has an old value of its own, and for a reload ahead of time', async () => {
    const { old, users, engine } = deploys(rename, { grace: '1h' });
    await users.set('1', 'own');
    await users.expire('1');
    await old.set('1', { name: 'Ada' });
    expect(await users.getOrSet('1', ({ stale }) => `not ${stale}`)).toBe('not own');

    await users.set('2', 'own', { ttl: 1_000 });
    await old.set('2', { name: 'Ada' });
    engine.advance(900);
    const loader = vi.fn(() => 'reloaded');
    expect(await users.getOrSet('2', loader, { eagerRefresh: 0.5 })).toBe('own');
    await expect.poll(() => users.peek('2')).toBe('reloaded');
    expect(engine.requestsOf(Op.Lookup).some(({ flags }) => flags & RequestFlag.Refresh)).toBe(true);
  });

  it('where the call is synchronous and can wait for nobody', async () => {
    const { old, users } = deploys();
    await old.set('1', { name: 'Ada' });
    const shortcuts = (users as Cache & { [SHORTCUTS](options: object): Shortcuts })[SHORTCUTS]({});
    expect(shortcuts.getOrLoadNow('1', () => 'loaded', undefined)).toBe('loaded');
  });

  it('where nothing that is loaded can be stored', async () => {
    const { engine, users } = over({ redis: { url: 'redis://h' } });
    engine.putRemote('1', { name: 'Ada' }, { path: 'users@1' });
    engine.fail = ({ op }) => (op === Op.Lookup ? 'E_TURBOCACHE_REMOTE' : undefined);
    expect(await users.getOrSet('1', () => 'loaded')).toBe('loaded');
    expect(engine.requestsOf(Op.Entry)).toEqual([]);
  });

  it('where the old value is in the memory of this process and Redis was not asked', async () => {
    const { engine, old, users } = over({ redis: { url: 'redis://h' } });
    for (const key of ['held', 'not held']) engine.putRemote(key, { name: 'Ada' }, { path: 'users@1' });
    await old.get('held');
    expect(await users.getOrSet('held', () => 'loaded')).toBe('loaded');
    expect(await users.getOrSet('not held', () => 'loaded')).toEqual({ fullName: 'Ada' });
  });
});

const CHANGES: readonly [string, Op, (cache: Cache) => Promise<unknown>][] = [
  ['set', Op.Set, (cache) => cache.set('k', 'new', { ttl: 1 })],
  ['setMany', Op.Set, (cache) => cache.setMany([{ key: 'k', value: 'new', ttl: 1 }])],
  ['delete', Op.Delete, (cache) => cache.delete('k')],
  ['deleteMany', Op.Delete, (cache) => cache.deleteMany(['k'])],
  ['expire', Op.Expire, (cache) => cache.expire('k')],
  ['invalidateTags', Op.InvalidateTags, (cache) => cache.invalidateTags(['t'])],
  ['soft invalidateTags', Op.InvalidateTags, (cache) => cache.invalidateTags(['t'], { soft: true, mode: 'all' })],
  ['deletePattern', Op.DeletePattern, (cache) => cache.deletePattern('k*', { batch: 10 })],
  ['clear', Op.Clear, (cache) => cache.clear()],
  ['soft clear', Op.Clear, (cache) => cache.clear({ soft: true })],
];

describe.each(CHANGES)('%s', (_, op, change) => {
  it('is made in the version before first, and its value does not come back', async () => {
    const { old, users, engine } = deploys();
    await old.set('k', { name: 'Ada' }, { tags: ['t'], grace: '1h' });
    const from = engine.requests.length;
    await change(users);
    engine.advance(2);

    const made = engine.requests.slice(from);
    expect(made.map(({ namespaceId }) => namespaceId)).toEqual([OLD, NEW]);
    expect(made.map(({ op }) => op)).toEqual([op === Op.Set ? Op.Delete : op, op]);
    if (op !== Op.Set) expect(made[0]).toEqual({ ...made[1], id: made[0]!.id, namespaceId: OLD });
    expect(await users.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await old.get('k')).toBeUndefined();
  });

  it('between the reading of an old value and its storing lets nobody keep it', async () => {
    const { old, users, engine, loader } = deploys();
    await old.set('k', { name: 'Ada' }, { tags: ['t'] });
    engine.hold = ({ op, namespaceId }) => op === Op.Entry && namespaceId === OLD;
    const before = users.getOrSet('k', loader);
    await expect.poll(() => engine.heldRequests.length).toBe(1);
    await change(users);
    engine.advance(2);
    const behind = users.getOrSet('k', () => 'loaded');
    engine.release();
    expect(await before).toEqual({ fullName: 'Ada' });
    expect(await behind).toBe('loaded');
    expect(await users.get('k')).toBe('loaded');
  });

  it('while the function works lets nobody keep what it makes', async () => {
    const { loader: value, called, resolve } = heldLoader<unknown>();
    const { old, users } = deploys(value as never);
    await old.set('k', { name: 'Ada' }, { tags: ['t'] });
    const before = users.getOrSet('k', () => 'loaded');
    await called;
    const changing = change(users);
    resolve('migrated');
    expect(await before).toBe('migrated');
    await changing;
    expect(await users.get('k')).not.toBe('migrated');
  });
});

describe('a change', () => {
  it('keeps its order with what is asked in the same turn', async () => {
    const { old, users, loader } = deploys();
    await old.setMany(['a', 'b'].map((key) => ({ key, value: { name: key } })));
    const [, a, , b] = await Promise.all([
      users.set('a', 'new'),
      users.getOrSet('a', loader),
      users.delete('b'),
      users.getOrSet('b', () => 'loaded'),
    ]);
    expect([a, b]).toEqual(['new', 'loaded']);
  });

  it('by pattern begins when that of the version before has ended', async () => {
    const { users, engine } = deploys();
    engine.hold = ({ op, namespaceId }) => op === Op.DeletePattern && namespaceId === OLD;
    const deleting = users.deletePattern('k*');
    await turns();
    expect(engine.requestsOf(Op.DeletePattern)).toHaveLength(1);
    engine.release();
    await deleting;
    expect(engine.requestsOf(Op.DeletePattern).map(({ namespaceId }) => namespaceId)).toEqual([OLD, NEW]);
  });

  it('tells whether there was something in one of the two', async () => {
    const { old, users } = deploys();
    await Promise.all([old.set('old', 1), users.set('new', 1)]);
    expect(await Promise.all(['old', 'new', 'none'].map((key) => users.delete(key)))).toEqual([true, true, false]);
    await old.setMany(['x', 'y'].map((key) => ({ key, value: 1 })));
    expect(await users.deleteMany(['x', 'y', 'z'])).toBe(2);
  });

  it('with arguments that cannot be right changes neither', async () => {
    const { old, users } = deploys();
    await old.set('k', 1, { tags: ['t'] });
    const wrong = [
      users.set('k', undefined),
      users.set('k', 1n),
      users.setMany([{ key: 'k', value: 1 }, { key: 'l', value: undefined }]), // prettier-ignore
      users.deleteMany(['k', '']),
      users.invalidateTags(['t', '']),
      users.invalidateTags(['t'], { mode: 'some' as never }),
      users.deletePattern('k', { batch: 0 }),
      users.clear({ soft: 1 as never }),
    ];
    expect((await Promise.allSettled(wrong)).map(({ status }) => status)).toEqual(wrong.map(() => 'rejected'));
    expect(await old.get('k')).toBe(1);
  });

  it('in a nested namespace is its own: migrate is not handed down', async () => {
    const { old, users } = deploys();
    await old.namespace('eu').set('k', 1);
    await users.namespace('eu').delete('k');
    expect(await old.namespace('eu').get('k')).toBe(1);
    expect(await users.namespace('eu').getOrSet('k', () => 'loaded')).toBe('loaded');
  });
});

describe('migrate', () => {
  const value = rename;
  it.each<[string, object, string]>([
    ['without a version to come from', { value }, 'migrate.from'],
    ['from null', { from: null, value }, 'migrate.from'],
    ['from an empty version', { from: '', value }, 'migrate.from'],
    ['from a version of a wrong type', { from: { version: true }, value }, 'migrate.from.version'],
    ['from a schema that is none', { from: { schema: () => 1 }, value }, 'migrate.from.schema'],
    ['from something else', { from: { verson: 1 }, value }, 'migrate.from.verson'],
    ['from the version itself', { from: '2', value }, 'migrate.from'],
    ['without a function', { from: 1 }, 'migrate.value'],
    ['with a name that does not exist', { from: 1, value, to: 2 }, 'migrate.to'],
  ])('%s is refused', (_, migrate, option) => {
    const open = (): Cache => makeManager().manager.cache('users', { version: 2, migrate: migrate as never });
    expect(open).toThrow(expect.objectContaining({ code: 'E_TURBOCACHE_OPTION', option }));
  });

  it('of another function, or from another version, clashes', () => {
    const { manager } = makeManager();
    const users = manager.cache('users', { version: 2, migrate: { from: 1, value } });
    expect(manager.cache('users', { version: 2, migrate: { from: { version: '1' }, value } })).toBe(users);
    for (const migrate of [{ from: 3, value }, { from: 1, value: () => 1 }, undefined]) {
      const options = migrate === undefined ? { version: 2 } : { version: 2, migrate };
      expect(() => manager.cache('users', options)).toThrow(expect.objectContaining({ code: 'E_TURBOCACHE_CLASH' }));
    }
  });

  it('is refused over a Cluster, which keeps no order of two keys', () => {
    const { manager } = makeManager({ redis: { cluster: ['redis://a'] } });
    expect(() => manager.cache('users', { version: 2, migrate: { from: 1, value } })).toThrow(
      expect.objectContaining({ name: 'UnsupportedError', code: 'E_TURBOCACHE_UNSUPPORTED', option: 'migrate' }),
    );
    expect(manager.cache('users', { version: 2 }).namespacePath).toBe('users@2');
  });
});
