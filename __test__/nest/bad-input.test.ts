import 'reflect-metadata';
import { CacheManager } from 'turbocache-js';
import {
  bindCache,
  cacheKey,
  getCacheToken,
  InjectCache,
  TurboCache,
  TurboCacheDefaults,
  TurboCacheKey,
  TurboCacheModule,
  TurboCacheRoute,
} from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { errorOf, start } from './fixture';

// Every mistake is an error with a code, at the moment when the class is defined or the application starts.

const method = { value: async () => 1 };

describe('a mistake in what a module is given', () => {
  it.each<[string, () => unknown, string, string]>([
    ['forRoot: a number', () => TurboCacheModule.forRoot(5 as never), 'options', 'expected an object'],
    ['forRoot: null', () => TurboCacheModule.forRoot(null as never), 'options', 'expected an object'],
    ['forRoot: a list', () => TurboCacheModule.forRoot([] as never), 'options', 'expected an object'],
    ['forRoot: isGlobal', () => TurboCacheModule.forRoot({ isGlobal: 'yes' as never }), 'isGlobal', 'true or false'],
    ['forRoot: name', () => TurboCacheModule.forRoot({ name: 5 as never }), 'name', 'at least one character'],
    ['forRootAsync: nothing', () => TurboCacheModule.forRootAsync(undefined as never), 'options', 'expected an object'],
    ['forRootAsync: no source', () => TurboCacheModule.forRootAsync({}), 'useFactory', 'exactly one of'],
    [
      'forRootAsync: two sources',
      () => TurboCacheModule.forRootAsync({ useFactory: () => ({}), useExisting: class {} as never }),
      'useFactory',
      'exactly one of',
    ],
    [
      'forRootAsync: a factory that is none',
      () => TurboCacheModule.forRootAsync({ useFactory: 5 as never }),
      'useFactory',
      'a function that answers options',
    ],
    ['forRootAsync: no class', () => TurboCacheModule.forRootAsync({ useClass: {} as never }), 'useClass', 'a class'],
    [
      'forRootAsync: a misspelt name',
      () => TurboCacheModule.forRootAsync({ useFactory: () => ({}), isGlobl: true } as never),
      'isGlobl',
      'expected one of isGlobal',
    ],
    ['forFeature: a text', () => TurboCacheModule.forFeature('users' as never), 'caches', 'a list of names'],
    ['forFeature: nothing', () => TurboCacheModule.forFeature(undefined as never), 'caches', 'a list of names'],
    ['forFeature: a number', () => TurboCacheModule.forFeature([5 as never]), 'caches', 'expected an object'],
    ['forFeature: null', () => TurboCacheModule.forFeature([null as never]), 'caches', 'expected an object'],
    ['forFeature: no name', () => TurboCacheModule.forFeature([{ ttl: 1 } as never]), 'name', 'at least one character'],
    [
      'forFeature: a misspelt option',
      () => TurboCacheModule.forFeature(['u'], { manger: 'x' } as never),
      'manger',
      'expected one of manager',
    ],
    ['forFeature: a manager', () => TurboCacheModule.forFeature(['u'], { manager: 5 as never }), 'manager', 'is 5'],
    ['InjectCache', () => InjectCache(''), 'name', 'at least one character'],
    ['getCacheToken', () => getCacheToken(5 as never), 'name', 'is 5'],
    ['bindCache: no object', () => bindCache(5 as never, {} as never), 'instance', 'the object whose methods'],
    ['bindCache: no cache', () => bindCache({}, new Map() as never), 'cache', 'a CacheManager'],
    [
      'bindCache: a misspelt option',
      () => bindCache({}, { getOrSet() {} } as never, { onEror() {} } as never),
      'onEror',
      'expected one of onError',
    ],
    [
      'bindCache: an option',
      () => bindCache({}, { getOrSet() {} } as never, { hashKeysAbove: 1 }),
      'hashKeysAbove',
      '128 or more',
    ],
  ])('%s', (_, body, option, message) => {
    const error = errorOf(body);
    expect(error).toMatchObject({ name: 'ConfigurationError', code: 'E_TURBOCACHE_OPTION', option });
    expect(error.message).toContain(message);
    expect(error.message).toContain(`option "${option}"`);
  });

  it.each<[string, Parameters<typeof TurboCacheModule.forRootAsync>[0], string]>([
    ['nothing', { useFactory: () => undefined as never }, 'options'],
    ['a number', { useFactory: async () => 5 as never }, 'options'],
    ['an unknown option', { useFactory: () => ({ ttll: 1 }) as never }, 'ttll'],
    ['a name, which is needed earlier', { useFactory: () => ({ name: 'x' }) as never }, 'name'],
    ['no method to ask', { useClass: class Settings {} as never }, 'useClass'],
  ])('forRootAsync: a factory that answers %s ends the start', async (_, options, option) => {
    const error = await start({ imports: [TurboCacheModule.forRootAsync(options)] }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option });
  });

  it('forFeature: a wrong option of a cache ends the start, and so do two caches of one name', async () => {
    const starting = (...features: Parameters<typeof TurboCacheModule.forFeature>[0][]) =>
      start({
        imports: [TurboCacheModule.forRoot(), ...features.map((caches) => TurboCacheModule.forFeature(caches))],
      }).catch((cause: unknown) => cause);
    expect(await starting([{ name: 'u', ttll: 1 } as never])).toMatchObject({ code: 'E_TURBOCACHE_OPTION' });
    expect(await starting([{ name: 'u', ttl: 1 }], [{ name: 'u', ttl: 2 }])).toMatchObject({
      code: 'E_TURBOCACHE_CLASH',
    });
  });
});

describe('a decorator in a place where it may not stand', () => {
  it.each<[string, () => unknown, string]>([
    ['@TurboCache on a class', () => (TurboCache('x') as any)(class Users {}), '@TurboCache on Users.constructor'],
    [
      '@TurboCache on a parameter',
      () => (TurboCache('x') as any)(class Users {}, undefined, 0),
      'not stand on a method',
    ],
    ['@TurboCacheDefaults on a method', () => (TurboCacheDefaults({}) as any)({}, 'm', method), 'not stand on a class'],
    ['@TurboCacheKey on a property', () => TurboCacheKey('x')({}, 'p'), 'not stand on a method'],
    ['@TurboCacheKey on a static parameter', () => TurboCacheKey()(class {}, 'm', 0), 'a static method'],
    ['@TurboCacheKey on a constructor', () => TurboCacheKey()(class Users {}, undefined, 0), 'on the constructor'],
    ['@TurboCacheRoute on a property', () => (TurboCacheRoute({ ttl: 1 }) as any)({}, 'p'), 'not stand on a'],
  ])('%s', (_, body, message) => {
    const error = errorOf(body);
    expect(error).toMatchObject({ name: 'DecoratorError', code: 'E_TURBOCACHE_DECORATOR' });
    expect(error.message).toContain(message);
  });

  it.each<[string, () => unknown]>([
    ['null', () => TurboCache(null as never)({}, 'm', method)],
    ['a list', () => TurboCache([] as never)({}, 'm', method)],
    ['no options of a route', () => TurboCacheRoute(undefined as never)({}, 'm', method)],
    ['no options of a class', () => TurboCacheDefaults(undefined as never)(class {})],
    ['no template', () => cacheKey(5 as never)],
  ])('and one with %s for its argument', (_, body) => {
    expect(errorOf(body)).toMatchObject({ name: 'DecoratorError', code: 'E_TURBOCACHE_DECORATOR' });
  });
});

it('what is right is accepted', async () => {
  const app = await start({
    imports: [TurboCacheModule.forRootAsync({ inject: [], useFactory: () => ({ hashKeysAbove: 128 }) })],
  });
  expect(bindCache({}, app.get(CacheManager), { hashKeysAbove: 128, onError: () => undefined })).toEqual({});
});
