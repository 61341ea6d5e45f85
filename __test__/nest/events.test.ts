import { Injectable, Module } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule } from '@nestjs/event-emitter';
import type { TestingModule } from '@nestjs/testing';
import { CacheManager, ConfigurationError, DecoratorError } from 'turbocache-js';
import {
  type EvictionRule,
  TurboCacheEvents,
  TurboCacheEventsModule,
  type TurboCacheEventsOptions,
  TurboCacheEvictOn,
} from 'turbocache-js/events';
import { getCacheToken, TurboCache, TurboCacheModule } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { errorOf, type Reported, start, stop } from './fixture';

interface Service {
  readonly app: TestingModule;
  readonly cache: CacheManager;
  readonly emitter: EventEmitter2;
  readonly failures: Reported[];
}

async function service(
  providers: (new (...args: any[]) => object)[],
  options: TurboCacheEventsOptions = {},
  emitter: object = {},
): Promise<Service> {
  const failures: Reported[] = [];
  const app = await start({
    imports: [
      TurboCacheModule.forRoot({ onError: (error, failure) => void failures.push({ error, ...failure }) }),
      TurboCacheModule.forFeature(['users']),
      EventEmitterModule.forRoot(emitter),
      TurboCacheEventsModule.forRoot(options),
    ],
    providers,
  });
  return { app, cache: app.get(CacheManager), emitter: app.get(EventEmitter2), failures };
}

const failure = (starting: Promise<unknown>): Promise<unknown> => starting.then(String, (error: unknown) => error);

describe('@TurboCacheEvictOn', () => {
  @Injectable()
  @TurboCacheEvictOn('user.updated', 'user:#{payload.id}')
  @TurboCacheEvictOn(['user.merged', 'user.removed'], {
    key: ['user:#{payload.id}', 'name:#{payload.name?}'],
    tags: ['list'],
  })
  class Users {
    reads = 0;

    @TurboCache({ key: 'user:#{id}', ttl: '1h' })
    async find(id: number): Promise<number> {
      this.reads += 1;
      return id;
    }
  }

  it('drops what a decorated method has stored under the same template', async () => {
    const { app, emitter } = await service([Users]);
    const users = app.get(Users);
    for (const id of [1, 2, 1, 2]) await users.find(id);
    expect(users.reads).toBe(2);
    await emitter.emitAsync('user.updated', { id: 1 });
    for (const id of [1, 2]) await users.find(id);
    expect(users.reads).toBe(3);
    expect(app.get(TurboCacheEvents).stats()).toEqual({ received: 1, evicted: 1, failed: 0, malformed: 0 });
  });

  it('takes several events, keys and tags', async () => {
    const { cache, emitter } = await service([Users]);
    for (const event of ['user.merged', 'user.removed']) {
      await cache.set('user:7', 1);
      await cache.set('name:Ada', 1);
      await cache.set('page', 1, { tags: ['list'] });
      await cache.set('other', 1);
      await emitter.emitAsync(event, { id: 7, name: 'Ada' });
      expect(await cache.getMany(['user:7', 'name:Ada', 'page', 'other']), event).toEqual([
        undefined,
        undefined,
        undefined,
        1,
      ]);
    }
  });

  it('prints values as the other decorators do', async () => {
    const { cache, emitter } = await service([Users]);
    await cache.set('user:a%3Ab', 1);
    await cache.set('user:~42', 1);
    await emitter.emitAsync('user.updated', { id: 'a:b' });
    await emitter.emitAsync('user.updated', { id: '42' });
    expect(await cache.getMany(['user:a%3Ab', 'user:~42'])).toEqual([undefined, undefined]);
  });

  it('finds a key that was too long to be stored as it is', async () => {
    const { app, emitter } = await service([Users]);
    const users = app.get(Users);
    const long = 'x'.repeat(1_000) as unknown as number;
    await users.find(long);
    await emitter.emitAsync('user.updated', { id: long });
    await users.find(long);
    expect(users.reads).toBe(2);
  });

  it('counts once for a class that two modules provide and a third extends', async () => {
    @Injectable()
    class Admins extends Users {}
    @Module({ providers: [Users, Admins] })
    class Other {}
    const app = await start({
      imports: [TurboCacheModule.forRoot(), EventEmitterModule.forRoot(), TurboCacheEventsModule.forRoot(), Other],
      providers: [Users],
    });
    await app.get(EventEmitter2).emitAsync('user.updated', { id: 1 });
    expect(app.get(TurboCacheEvents).stats()).toMatchObject({ received: 1, evicted: 1 });
  });

  it('works on a class of request scope, which nobody has made yet', async () => {
    @Injectable({ scope: 2 })
    @TurboCacheEvictOn('user.updated', 'user:#{payload.id}')
    class PerRequest {}
    const { cache, emitter } = await service([PerRequest]);
    await cache.set('user:1', 1);
    await emitter.emitAsync('user.updated', { id: 1 });
    expect(await cache.get('user:1')).toBeUndefined();
  });

  it('reports an event that lacks what the key needs, and goes on', async () => {
    const { app, cache, emitter, failures } = await service([Users]);
    await cache.set('user:1', 1);
    await emitter.emitAsync('user.updated', { name: 'Ada' });
    await emitter.emitAsync('user.updated', undefined);
    await emitter.emitAsync('user.updated', { id: 1 });
    expect(await cache.get('user:1')).toBeUndefined();
    expect(failures).toMatchObject([
      { operation: 'evict', method: 'event user.updated', error: { code: 'E_TURBOCACHE_DECORATOR' } },
      { operation: 'evict', method: 'event user.updated' },
    ]);
    expect(app.get(TurboCacheEvents).stats()).toEqual({ received: 3, evicted: 1, failed: 2, malformed: 0 });
  });

  it.each<[string, unknown, unknown, object]>([
    [
      'a slot that does not exist',
      'user.updated',
      'user:#{paylod.id}',
      { option: 'key', details: { nearest: ['payload'] } },
    ],
    [
      'an option that does not exist',
      'user.updated',
      { keys: ['a'] },
      { option: 'keys', details: { nearest: ['key'] } },
    ],
    ['nothing to remove', 'user.updated', {}, {}],
    ['a key of a wrong type', 'user.updated', { key: 5 }, { option: 'key' }],
    ['no event', [], 'a', {}],
    ['an empty event', '', 'a', {}],
  ])('refuses %s when the class is defined', (_, event, rule, details) => {
    const error = errorOf(() => TurboCacheEvictOn(event as string, rule as EvictionRule)(class Users {}));
    expect(error).toBeInstanceOf(DecoratorError);
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', ...details });
    expect(error.message).toContain('@TurboCacheEvictOn on Users');
  });

  it('names the module that is missing, at boot', async () => {
    const app = start({ imports: [TurboCacheModule.forRoot()], providers: [Users] });
    expect(String(await failure(app))).toContain('TurboCacheEventsModule');
  });

  it('wants a cache that exists, at boot', async () => {
    const app = start({
      imports: [
        TurboCacheModule.forRoot({ name: 'a' }),
        EventEmitterModule.forRoot(),
        TurboCacheEventsModule.forRoot(),
      ],
      providers: [Users],
    });
    expect(await failure(app)).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'cache' });
  });
});

describe('the rules of the module', () => {
  it('may be a template, one rule, or several, of any cache', async () => {
    const { app, cache, emitter } = await service([], {
      events: {
        'city.renamed': 'city:#{payload.id}',
        'users.imported': { cache: 'users', all: true },
        'order.paid': [
          { key: ({ payload }) => [`order:${payload.id}`, 'orders'] },
          { cache: 'users', tags: ['#{event}'] },
        ],
      },
    });
    const users = app.get<CacheManager>(getCacheToken('users'));
    await cache.setMany(['city:1', 'order:1', 'orders', 'else'].map((key) => ({ key, value: key })));
    await users.set('a', 1);
    await emitter.emitAsync('city.renamed', { id: 1 });
    await emitter.emitAsync('users.imported');
    expect(await users.get('a')).toBeUndefined();
    await users.set('b', 1, { tags: ['order.paid'] });
    await emitter.emitAsync('order.paid', { id: 1 });
    expect(await users.get('b')).toBeUndefined();
    expect(await cache.getMany(['city:1', 'order:1', 'orders', 'else'])).toEqual([
      undefined,
      undefined,
      undefined,
      'else',
    ]);
  });

  it('may depend on the event', async () => {
    const { app, cache, emitter } = await service([], {
      events: {
        'user.updated': { key: 'user:#{payload.id}', condition: ({ payload }) => payload.fields.includes('name') },
      },
    });
    await cache.set('user:1', 1);
    await emitter.emitAsync('user.updated', { id: 1, fields: ['seen'] });
    expect(await cache.get('user:1')).toBe(1);
    await emitter.emitAsync('user.updated', { id: 1, fields: ['name'] });
    expect(await cache.get('user:1')).toBeUndefined();
    expect(app.get(TurboCacheEvents).stats()).toMatchObject({ received: 2, evicted: 1 });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('condition');
      },
    ],
    ['answers a promise of false', async () => false],
    ['answers nothing', () => undefined],
  ])('evict when their condition %s', async (_, condition) => {
    const { app, cache, emitter, failures } = await service([], {
      events: { 'user.updated': { key: 'user:#{payload.id}', condition: condition as () => boolean } },
    });
    await cache.set('user:1', 1);
    await emitter.emitAsync('user.updated', { id: 1 });
    expect(await cache.get('user:1')).toBeUndefined();
    expect(failures).toMatchObject([
      { operation: 'condition', method: 'event user.updated', error: { code: 'E_TURBOCACHE_DECORATOR' } },
    ]);
    expect(app.get(TurboCacheEvents).stats()).toEqual({ received: 1, evicted: 1, failed: 0, malformed: 0 });
  });

  it('know the name that was emitted, where they stand for a pattern', async () => {
    const { cache, emitter } = await service(
      [],
      { events: { 'user.*': 'last:#{event}' } },
      { wildcard: true, delimiter: '.' },
    );
    await cache.set('last:user.moved', 1);
    await cache.set('last:user.left', 1);
    await emitter.emitAsync('user.moved', {});
    expect(await cache.getMany(['last:user.moved', 'last:user.left'])).toEqual([undefined, 1]);
  });

  it('count a cache that refuses, and throw nothing at who emits', async () => {
    const { app, emitter, failures } = await service([], {
      events: { 'a.b': { key: ({ payload }) => payload.key }, 'a.c': { key: () => '' } },
    });
    await emitter.emitAsync('a.b', { key: '\ud800' });
    await emitter.emitAsync('a.c', {});
    expect(emitter.emit('a.c', {})).toBe(true);
    await app.get(TurboCacheEvents).settled();
    expect(failures.map(({ error }) => error.code)).toEqual([
      'E_TURBOCACHE_ARGUMENT',
      'E_TURBOCACHE_DECORATOR',
      'E_TURBOCACHE_DECORATOR',
    ]);
    expect(app.get(TurboCacheEvents).stats()).toMatchObject({ evicted: 0, failed: 3 });
  });

  it('end with the application', async () => {
    const { app, emitter } = await service([], { events: { 'a.b': 'a' } });
    expect(emitter.listenerCount('a.b')).toBe(1);
    await stop(app);
    expect(emitter.listenerCount('a.b')).toBe(0);
  });

  it.each<[string, object, object]>([
    ['an option that does not exist', { event: {} }, { code: 'E_TURBOCACHE_OPTION', option: 'event' }],
    ['a wrong template', { events: { a: 'x:#{user}' } }, { code: 'E_TURBOCACHE_DECORATOR', option: 'key' }],
    ['no subscriber', { channels: { on: { a: 'eviction' } } }, { option: 'channels.subscriber' }],
  ])('are refused at boot for %s', async (_, options, expected) => {
    expect(await failure(service([], options as TurboCacheEventsOptions))).toMatchObject(expected);
  });

  it('need the emitter among the imports', async () => {
    const error = await failure(
      start({ imports: [TurboCacheModule.forRoot(), TurboCacheEventsModule.forRoot({ events: { a: 'b' } })] }),
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(String(error)).toContain('EventEmitterModule.forRoot()');
  });

  it('come from providers with forRootAsync', async () => {
    const app = await start({
      imports: [
        TurboCacheModule.forRoot(),
        EventEmitterModule.forRoot(),
        TurboCacheEventsModule.forRootAsync({ useFactory: async () => ({ events: { 'a.b': 'key' } }) }),
      ],
    });
    const cache = app.get(CacheManager);
    await cache.set('key', 1);
    await app.get(EventEmitter2).emitAsync('a.b');
    expect(await cache.get('key')).toBeUndefined();
  });
});
