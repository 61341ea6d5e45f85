import { describe, expect, it } from 'vitest';
import type { CacheOptions } from '../../index';
import { ConfigurationError } from '../../node/client';
import { makeManager } from './fixture';

/** The path of the cache with these options. */
const pathOf = (options: CacheOptions, name = 'users'): string =>
  makeManager().manager.cache(name, options).namespacePath;

describe('versions of a named cache', () => {
  it('share neither entries nor clear', async () => {
    const { manager } = makeManager();
    const [plain, one, two] = [{}, { version: 1 }, { version: 2 }].map((options) => manager.cache('users', options));
    const all = [plain!, one!, two!];
    const values = (): Promise<unknown[]> => Promise.all(all.map((cache) => cache.get('k')));

    await Promise.all(all.map((cache, index) => cache.set('k', index)));
    expect(await values()).toEqual([0, 1, 2]);
    await plain!.delete('k');
    expect(await values()).toEqual([undefined, 1, 2]);
    await two!.clear();
    expect(await values()).toEqual([undefined, 1, undefined]);
  });

  it('go together with the namespace around them', async () => {
    const { manager } = makeManager();
    const versions = [1, 2].map((version) => manager.cache('users', { version }));
    await Promise.all(versions.map((cache) => cache.set('k', 1)));
    await manager.clear();
    expect(await Promise.all(versions.map((cache) => cache.get('k')))).toEqual([undefined, undefined]);
  });

  it('stand behind an @ in the path, which no name and no version can hold', () => {
    expect(pathOf({ version: 2 })).toBe('users@2');
    expect(pathOf({ version: '2' })).toBe('users@2');
    expect(pathOf({ version: 'a@b/c' })).toBe('users@a%40b%2Fc');
    expect(pathOf({}, 'users@2')).toBe('users%402');
    const { manager } = makeManager({ namespace: 'shop', version: 7 });
    const nested = manager.namespace('eu').cache('users', { version: 2 }).namespace('admins');
    expect(nested.namespacePath).toBe('shop/eu/users@2/admins');
  });

  it('are caches of their own in one process, and the name alone is the one that was opened first', () => {
    const { manager } = makeManager();
    const one = manager.cache('users', { version: 1 });
    const two = manager.cache('users', { version: 2, ttl: '1h' });
    expect(two).not.toBe(one);
    expect(manager.cache('users')).toBe(one);
    expect(manager.cache('users', { version: '2', ttl: '60m' })).toBe(two);
    expect(manager.cache('users', {}).namespacePath).toBe('users');
    expect(() => manager.cache('users', { version: 2 })).toThrow(
      expect.objectContaining({ code: 'E_TURBOCACHE_CLASH' }),
    );
  });

  it.each(['', null, true, Number.NaN, Infinity, {}, 'x'.repeat(257), 'a\ud800'])('%j is none', (version) => {
    const refused = expect.objectContaining({ code: 'E_TURBOCACHE_OPTION', option: 'version', got: version });
    expect(() => pathOf({ version } as CacheOptions)).toThrow(refused);
    expect(() => makeManager({ version: version as string })).toThrow(refused);
  });
});

describe('a schema', () => {
  const user = { type: 'object', properties: { id: { type: 'number' }, name: { type: 'string' } }, required: ['id'] };

  it('is part of the version, with and without one', () => {
    const alone = pathOf({ schema: user });
    const fingerprint = alone.slice('users@@'.length);
    expect(alone).toMatch(/^users@@[0-9a-f]{16}$/);
    expect(pathOf({ schema: user, version: 2 })).toBe(`users@2@${fingerprint}`);
    // A version of the same text is another one.
    expect(pathOf({ version: `2@${fingerprint}` })).toBe(`users@2%40${fingerprint}`);
  });

  it('has the same fingerprint whatever the order of its names, in every process', () => {
    const other = {
      required: ['id'],
      properties: { name: { type: 'string' }, id: { type: 'number' } },
      type: 'object',
    };
    expect(pathOf({ schema: other })).toBe(pathOf({ schema: user }));
    expect(pathOf({ schema: { b: [1, null], a: 'x' } })).toBe('users@@a8d71f64d3dc772b');
  });

  it('that says something else has another one', () => {
    const schemas = [
      user,
      { ...user, required: ['name'] },
      ['id', 'name'],
      ['name', 'id'],
      ['id,name'],
      [['id'], 'name'],
      { id: 'name' },
      { id: { name: null } },
      {},
      [],
      '',
      '1',
      1,
      1.5,
      true,
      'true',
      null,
      'null',
    ];
    expect(new Set(schemas.map((schema) => pathOf({ schema }))).size).toBe(schemas.length);
  });

  const circle: { self?: unknown } = {};
  circle.self = circle;
  it.each<[string, unknown, string]>([
    ['a function', { check: () => true }, 'schema.check'],
    ['a symbol', Symbol('x'), 'schema'],
    ['a bigint', [1n], 'schema[0]'],
    ['NaN', [0, Number.NaN], 'schema[1]'],
    ['undefined within', { a: { b: undefined } }, 'schema.a.b'],
    ['a hole', Array(1), 'schema[0]'],
    ['a date', { since: new Date(0) }, 'schema.since'],
    ['a map', new Map(), 'schema'],
    ['a text that is no Unicode', 'a\ud800', 'schema'],
    ['a circle', circle, 'schema.self'],
  ])('that holds %s is refused at once', (_, schema, option) => {
    expect(() => pathOf({ schema })).toThrow(ConfigurationError);
    expect(() => pathOf({ schema })).toThrow(expect.objectContaining({ code: 'E_TURBOCACHE_OPTION', option }));
  });

  it('may name one object twice', () => {
    const id = { type: 'number' };
    expect(pathOf({ schema: { a: id, b: [id, id] } })).toMatch(/^users@@/);
  });
});
