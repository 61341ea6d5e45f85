/** Each decorator, wherever it may not stand and with whatever it cannot take: a coded error when the class is defined. */
import { CacheManager } from 'turbocache-js';
import { TurboCacheEventsModule, TurboCacheEvictOn } from 'turbocache-js/events';
import { TurboCacheField, TurboCacheKeyValueCache, TurboCacheLoader } from 'turbocache-js/graphql';
import {
  TurboCache,
  TurboCacheContext,
  TurboCacheContextModule,
  TurboCacheEvict,
  TurboCacheMemo,
  TurboCacheModule,
  TurboCachePut,
} from 'turbocache-js/nest';
import { TurboCacheTransactionsModule } from 'turbocache-js/transactions';
import { TurboCacheRefreshAhead, TurboCacheWarm, TurboCacheWarmingModule } from 'turbocache-js/warming';
import { describe, expect, it } from 'vitest';
import { errorOf, start } from './fixture';

type Made = (options?: any) => (target: any, key?: any, descriptor?: any) => void;

const find = async (id: number): Promise<number> => id;
const method = (): PropertyDescriptor => ({ value: find, writable: true, configurable: true });

const KEYED: [string, Made][] = [
  ['@TurboCache', TurboCache],
  ['@TurboCachePut', TurboCachePut],
  ['@TurboCacheEvict', TurboCacheEvict],
  ['@TurboCacheMemo', TurboCacheMemo],
];
const OF_METHODS: [string, Made][] = [
  ...KEYED,
  ['@TurboCacheField', TurboCacheField],
  ['@TurboCacheWarm', TurboCacheWarm as Made],
  ['@TurboCacheRefreshAhead', TurboCacheRefreshAhead as Made],
];

describe.each(OF_METHODS)('%s', (name, make) => {
  class Users {}

  it.each<[string, Parameters<ReturnType<Made>>, string]>([
    ['a property', [Users.prototype, 'find'], 'Users.find'],
    ['a property with a value', [Users.prototype, 'find', { value: 5 }], 'Users.find'],
    ['a getter', [Users.prototype, 'find', { get: find }], 'Users.find'],
    ['a static method', [Users, 'find', method()], 'Users.find'],
    ['a class', [Users], 'Users.constructor'],
    ['a parameter', [Users.prototype, 'find', 0], 'Users.find'],
    ['a method of the standard decorators', [find, { kind: 'method', name: 'find' }], 'find'],
  ])('on %s names class, member, and where it may stand', (_, target, place) => {
    const error = errorOf(() => make({})(...target));
    expect(error).toMatchObject({ name: 'DecoratorError', code: 'E_TURBOCACHE_DECORATOR' });
    expect(error.message).toContain(`${name} on `);
    expect(error.message).toContain(place);
    expect(error.message).toContain('expected a method of a class');
  });

  it.each([[null], [5], [['key']]])('with %j for its options is refused', (options) => {
    const what = options === null ? 'null' : Array.isArray(options) ? 'a list' : 'number';
    const define = (): void => {
      const descriptor = method();
      if (name === '@TurboCacheRefreshAhead') TurboCache('user:#{id}')(Users.prototype, 'find', descriptor);
      make(options)(Users.prototype, 'find', descriptor);
    };
    const error = errorOf(define);
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', got: options });
    expect(error.message).toContain(`${name} on Users.find: its argument is ${what}`);
  });
});

describe.each(KEYED)('a key of %s', (_, make) => {
  it.each<[string, unknown, string]>([
    ['that is empty', '', 'an empty text'],
    ['with an empty slot', 'user:#{}', '"#{}" is not a path'],
    ['with a parameter that does not exist', 'user:#{ID}', 'no parameter is named "ID"'],
    ['of nothing but the context', 'user:#{context}', 'names no value of the context'],
    ['of a wrong type', { key: 5 }, 'not a key'],
  ])('%s is refused', (_, options, message) => {
    const error = errorOf(() => make(options)({}, 'find', method()));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', option: 'key' });
    expect(error.message).toContain(message);
  });
});

describe('@TurboCacheEvictOn', () => {
  class Users {}

  it.each([
    ['a method', [Users.prototype, 'find', method()]],
    ['a property', [Users.prototype, 'find']],
  ])('on %s is refused', (_, target) => {
    const decorate = TurboCacheEvictOn('user.updated', 'user:#{payload.id}') as (...target: unknown[]) => void;
    const error = errorOf(() => decorate(...target));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', expected: 'a provider or controller' });
    expect(error.message).toContain('@TurboCacheEvictOn on Users');
  });

  it.each([[null], [5]])('with %j for its rule is refused', (rule) => {
    expect(errorOf(() => TurboCacheEvictOn('e', rule as never)(Users))).toMatchObject({
      code: 'E_TURBOCACHE_DECORATOR',
      got: rule,
    });
  });
});

describe('options of a module', () => {
  const MODULES = [
    ['TurboCacheWarmingModule', TurboCacheWarmingModule],
    ['TurboCacheEventsModule', TurboCacheEventsModule],
    ['TurboCacheTransactionsModule', TurboCacheTransactionsModule],
    ['TurboCacheContextModule', TurboCacheContextModule],
  ] as const;
  const WRONG = [null, 5, ['x'], { nonsense: 1 }];

  it.each(MODULES.flatMap(([name, module]) => WRONG.map((options) => [name, options, module] as const)))(
    'of %s cannot be %j',
    async (name, options, module) => {
      const starting = async () =>
        start({ imports: [TurboCacheModule.forRoot(), module.forRoot(options as never) as never] });
      const error = await starting().catch((cause: unknown) => cause);
      expect(error).toMatchObject({ name: 'ConfigurationError', code: 'E_TURBOCACHE_OPTION' });
      expect(String(error)).toContain(name);
    },
  );

  it.each<[string, object, string]>([
    ['events', { events: 5 }, 'events'],
    ['channels', { channels: null }, 'channels'],
    ['channels without rules', { channels: { subscriber: { on() {}, subscribe() {} } } }, 'channels.'],
  ])('of TurboCacheEventsModule: %s', async (_, options, option) => {
    const starting = start({ imports: [TurboCacheModule.forRoot(), TurboCacheEventsModule.forRoot(options)] });
    const error = await starting.catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: expect.stringContaining(option) });
  });
});

describe('what GraphQL is given', () => {
  const loading = { key: String, load: async (ids: number[]) => ids };

  it.each<[string, unknown, unknown, string]>([
    ['no cache', 5, loading, 'cache'],
    ['no options', undefined, undefined, 'options'],
    ['a key that is no function', undefined, { ...loading, key: 'id' }, 'key'],
    ['a misspelt option', undefined, { ...loading, ttll: '1m' }, 'ttll'],
    ['a ttl below zero', undefined, { ...loading, ttl: -5 }, 'ttl'],
    ['a ttl that is a function', undefined, { ...loading, ttl: () => 5 }, 'ttl'],
    ['tags that are none', undefined, { ...loading, tags: [5] }, 'tags'],
    ['a batch of none', undefined, { ...loading, maxBatchSize: 0 }, 'maxBatchSize'],
  ])('TurboCacheLoader: %s', async (_, cache, options, option) => {
    const manager = new CacheManager();
    const error = errorOf(() => new TurboCacheLoader((cache ?? manager) as CacheManager, options as never));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option });
    expect(error.message).toContain('TurboCacheLoader: option');
    await manager.close();
  });

  it('TurboCacheKeyValueCache: no cache', () => {
    expect(errorOf(() => new TurboCacheKeyValueCache(new Map() as never))).toMatchObject({
      code: 'E_TURBOCACHE_OPTION',
      option: 'cache',
    });
  });
});

it('TurboCacheContext.run wants values and a function', () => {
  const code = 'E_TURBOCACHE_ARGUMENT';
  expect(errorOf(() => TurboCacheContext.run(5 as never, () => 1))).toMatchObject({ code, option: 'values' });
  expect(errorOf(() => TurboCacheContext.run({}, 5 as never))).toMatchObject({ code, option: 'body' });
});
