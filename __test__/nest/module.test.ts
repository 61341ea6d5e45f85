import { type DynamicModule, Inject, Injectable, Module } from '@nestjs/common';
import { type Cache, CacheManager, ConfigurationError } from 'turbocache-js';
import {
  getCacheToken,
  InjectCache,
  TurboCache,
  TurboCacheModule,
  type TurboCacheModuleOptions,
  type TurboCacheOptionsFactory,
} from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { start, stop } from './fixture';

@Injectable()
class Holder {
  constructor(
    @InjectCache() readonly manager: Cache,
    readonly byType: CacheManager,
  ) {}
}

const failure = (starting: Promise<unknown>): Promise<unknown> =>
  starting.then(
    () => 'it started',
    (error: unknown) => error,
  );

describe('forRoot', () => {
  it('works without options, and gives the manager to @InjectCache() and to its type', async () => {
    const app = await start({ imports: [TurboCacheModule.forRoot()], providers: [Holder] });
    const { manager, byType } = app.get(Holder);
    expect(manager).toBeInstanceOf(CacheManager);
    expect(byType).toBe(manager);
    expect(app.get(getCacheToken())).toBe(manager);
  });

  it('is global only if it is asked to', async () => {
    @Module({ providers: [Holder] })
    class Feature {}

    const local = await failure(start({ imports: [TurboCacheModule.forRoot(), Feature] }));
    expect(String(local)).toContain("can't resolve dependencies of the Holder");
    const app = await start({ imports: [TurboCacheModule.forRoot({ isGlobal: true }), Feature] });
    expect(app.select(Feature).get(Holder).manager).toBeInstanceOf(CacheManager);
  });

  it('hands the options to the manager', async () => {
    const app = await start({ imports: [TurboCacheModule.forRoot({ namespace: 'shop', ttl: '10s' })] });
    const manager = app.get(CacheManager);
    expect(manager.namespacePath).toBe('shop');
    await manager.set('a', 1);
    expect((await manager.getEntry('a'))!.ttl).toBeLessThanOrEqual(10_000);
  });

  it.each<[string, object, string]>([
    ['of a wrong name', { ttll: 1 }, 'ttll'],
    ['of a wrong value', { ttl: -1 }, 'ttl'],
    ['of a wrong type', { onError: 5 }, 'onError'],
    ['out of range', { hashKeysAbove: 10 }, 'hashKeysAbove'],
  ])('refuses an option %s at boot', async (_, options, option) => {
    const error = await failure(start({ imports: [TurboCacheModule.forRoot(options)] }));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ option });
  });

  it('refuses an empty name at once', () => {
    expect(() => TurboCacheModule.forRoot({ name: '' })).toThrow(ConfigurationError);
    expect(() => TurboCacheModule.forFeature([{ name: '' }])).toThrow(ConfigurationError);
  });
});

describe('forRootAsync', () => {
  @Injectable()
  class Config implements TurboCacheOptionsFactory {
    readonly namespace = 'from-config';
    async createTurboCacheOptions(): Promise<TurboCacheModuleOptions> {
      return { namespace: this.namespace };
    }
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  it.each([
    [
      'useFactory',
      { imports: [ConfigModule], inject: [Config], useFactory: (config: Config) => ({ namespace: config.namespace }) },
    ],
    ['an asynchronous useFactory', { useFactory: async () => ({ namespace: 'from-config' }) }],
    ['useClass', { useClass: Config }],
    ['useExisting', { imports: [ConfigModule], useExisting: Config }],
  ])('takes the options from %s', async (_, options) => {
    const app = await start({ imports: [TurboCacheModule.forRootAsync(options)], providers: [Holder] });
    expect(app.get(Holder).manager.namespacePath).toBe('from-config');
  });

  it('takes name and isGlobal beside the factory', async () => {
    @Module({
      providers: [{ provide: 'holder', useFactory: (cache: Cache) => cache, inject: [getCacheToken('sessions')] }],
    })
    class Feature {}

    const app = await start({
      imports: [TurboCacheModule.forRootAsync({ name: 'sessions', isGlobal: true, useFactory: () => ({}) }), Feature],
    });
    expect(app.select(Feature).get<Cache>('holder').namespacePath).toBe('sessions');
  });
});

describe('named managers', () => {
  @Injectable()
  class Sessions {
    constructor(@InjectCache('sessions') readonly cache: Cache) {}

    @TurboCache({ key: 's:#{id}', cache: 'sessions' })
    async find(id: number): Promise<number> {
      return id;
    }
  }

  it('live beside the default one, with a namespace of their own', async () => {
    const app = await start({
      imports: [TurboCacheModule.forRoot(), TurboCacheModule.forRoot({ name: 'sessions', ttl: '1m' })],
      providers: [Holder, Sessions],
    });
    const { cache } = app.get(Sessions);
    expect(cache).toBeInstanceOf(CacheManager);
    expect(cache).not.toBe(app.get(Holder).manager);
    expect(cache.namespacePath).toBe('sessions');
    await app.get(Sessions).find(1);
    expect(await cache.get('s:1')).toBe(1);
    expect(await app.get(Holder).manager.get('s:1')).toBeUndefined();
  });

  it('of one name are refused, and so are two without', async () => {
    const twice = (name?: string) => {
      const options = name === undefined ? {} : { name };
      return failure(start({ imports: [TurboCacheModule.forRoot(options), TurboCacheModule.forRoot(options)] }));
    };
    expect(await twice('a')).toMatchObject({ code: 'E_TURBOCACHE_CLASH' });
    expect(await twice()).toMatchObject({ code: 'E_TURBOCACHE_CLASH' });
  });

  it('do not stand in for the default one', async () => {
    @Injectable()
    class Users {
      @TurboCache('user:#{id}')
      async find(id: number): Promise<number> {
        return id;
      }
    }
    const error = await failure(start({ imports: [TurboCacheModule.forRoot({ name: 'a' })], providers: [Users] }));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'cache', details: { className: 'Users' } });
  });
});

describe('forFeature', () => {
  @Injectable()
  class Users {
    constructor(
      @InjectCache('users') readonly users: Cache,
      @InjectCache('cities') readonly cities: Cache,
    ) {}
  }

  it('gives named caches of the default manager, with options of their own', async () => {
    @Module({ imports: [TurboCacheModule.forFeature(['users', { name: 'cities', ttl: '1s' }])], providers: [Users] })
    class Feature {}

    const app = await start({ imports: [TurboCacheModule.forRoot({ namespace: 'feature' }), Feature] });
    const { users, cities } = app.select(Feature).get(Users);
    const manager = app.get(CacheManager);
    expect([users, cities]).toEqual([manager.cache('users'), manager.cache('cities')]);
    await cities.set('oslo', 1);
    expect((await cities.getEntry('oslo'))!.ttl).toBeLessThanOrEqual(1_000);
  });

  it('gives a version of a cache, which decorators find by its name, and which takes over from the one before', async () => {
    class Named {
      @TurboCache({ key: 'user:#{id}', cache: 'users' })
      async find(id: number): Promise<string> {
        return `${id} loaded`;
      }
    }
    const migrate = { from: 1, value: (old: string) => `${old}, migrated` };
    const app = await start({
      imports: [
        TurboCacheModule.forRoot({ namespace: 'versions' }),
        TurboCacheModule.forFeature([{ name: 'users', version: 2, schema: { a: 1 }, migrate }]),
      ],
      providers: [Named],
    });
    const [manager, users] = [app.get(CacheManager), app.get<Cache>(getCacheToken('users'))];
    expect(users.namespacePath).toMatch(/^versions\/users@2@[0-9a-f]{16}$/);
    await manager.cache('users', { version: 1 }).set('user:1', 'old');
    const named = app.get(Named);
    expect([await named.find(1), await named.find(2)]).toEqual(['old, migrated', '2 loaded']);
    expect(await users.get('user:1')).toBe('old, migrated');
  });

  it('gives caches of a named manager', async () => {
    const app = await start({
      imports: [
        TurboCacheModule.forRootAsync({ name: 'big', useFactory: async () => ({ namespace: 'large' }) }),
        TurboCacheModule.forFeature(['users', 'cities'], { manager: 'big' }),
      ],
      providers: [Users],
    });
    expect(app.get(Users).users.namespacePath).toMatch(/^large/);
  });

  it('lets several modules share a cache, but not a name for two', async () => {
    const features = (manager: string) => [
      TurboCacheModule.forRoot(),
      TurboCacheModule.forRoot({ name: 'other' }),
      TurboCacheModule.forFeature(['users']),
      TurboCacheModule.forFeature(['users'], manager === '' ? {} : { manager }),
    ];
    await start({ imports: features('') });
    expect(await failure(start({ imports: features('other') }))).toMatchObject({ code: 'E_TURBOCACHE_CLASH' });
  });

  it('says which manager is missing, and what to write', async () => {
    const [sessions, users] = [
      TurboCacheModule.forRoot({ name: 'sessions' }),
      (manager?: string) => TurboCacheModule.forFeature(['users'], manager === undefined ? {} : { manager }),
    ];
    const expected = (imports: DynamicModule[]) =>
      failure(start({ imports })).then((error) => {
        expect(error).toBeInstanceOf(ConfigurationError);
        expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'manager', details: { cache: 'users' } });
        return (error as ConfigurationError).expected;
      });
    expect(await expected([users()])).toBe('TurboCacheModule.forRoot() in the application');
    expect(await expected([users(), sessions])).toBe(
      "TurboCacheModule.forRoot() in the application, or { manager: 'sessions' }",
    );
    expect(await expected([sessions, users('sesions')])).toBe(
      "TurboCacheModule.forRoot({ name: 'sesions' }) in the application, or { manager: 'sessions' }",
    );
  });

  it('leaves the first word to a manager that could not be made', async () => {
    const noConfig = () => Promise.reject(new Error('no configuration'));
    const imports = [TurboCacheModule.forFeature(['users']), TurboCacheModule.forRootAsync({ useFactory: noConfig })];
    expect(await failure(start({ imports }))).toEqual(new Error('no configuration'));
    const wrong = TurboCacheModule.forRoot({ ttl: -1 });
    expect(await failure(start({ imports: [imports[0]!, wrong] }))).toMatchObject({ option: 'ttl' });
  });

  it('knows a manager that is named "default" from the default one', async () => {
    const imports = [TurboCacheModule.forRoot(), TurboCacheModule.forRoot({ name: 'default' })];
    const app = await start({
      imports: [...imports, TurboCacheModule.forFeature(['users', 'cities'], { manager: 'default' })],
      providers: [Users],
    });
    expect(app.get(Users).users.namespacePath).toMatch(/^default/);
    expect(app.get(CacheManager).namespacePath).not.toMatch(/^default/);
  });
});

describe('shutdown', () => {
  it('closes every manager after the other providers have ended', async () => {
    const order: string[] = [];

    @Injectable()
    class Worker {
      constructor(@Inject(CacheManager) private readonly cache: CacheManager) {}
      async onModuleDestroy(): Promise<void> {
        await this.cache.set('last', 1);
        order.push('stored');
      }
    }
    const app = await start({
      imports: [TurboCacheModule.forRoot(), TurboCacheModule.forRoot({ name: 'other' })],
      providers: [Worker],
    });
    const managers = [app.get(CacheManager), app.get<CacheManager>(getCacheToken('other'))];
    await stop(app);
    expect(order).toEqual(['stored']);
    for (const manager of managers) {
      await expect(manager.get('last')).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
    }
  });

  it('comes before the start, when Redis is required and cannot be reached', async () => {
    const redis = { url: 'redis://127.0.0.1:1', required: true, connectTimeout: 50 };
    const error = await failure(start({ imports: [TurboCacheModule.forRoot({ redis, onError: () => undefined })] }));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_REMOTE' });
  });
});
