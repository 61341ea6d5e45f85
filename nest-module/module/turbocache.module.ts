/** `TurboCacheModule`: managers by forRoot and forRootAsync, named caches by forFeature. */
import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { Cache, CacheManager } from '../client';
import { CacheRegistry } from '../registry/cache-registry';
import { RegistryModule } from '../registry/registry.module';
import { askFactory, checkFeatures, checkRoot, checkRootAsync } from './check-options';
import { MANAGER, MANAGER_EXTRAS, ManagerModule } from './manager.module';
import type { ASYNC_OPTIONS_TYPE, FeatureCache, OPTIONS_TYPE, TurboCacheModuleExtras } from './module-options';
import { missingManager } from './missing-manager';
import { getCacheToken, managerToken } from './tokens';

@Module({})
export class TurboCacheModule {
  /** A manager with these options. Without `name` it is the default one; every further one needs a name of its own. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    checkRoot(options);
    return managerModule(ManagerModule.forRoot(options), options);
  }

  /** The same with options that another provider makes: `useFactory` (+ `inject`), `useClass` or `useExisting`, `imports`. */
  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    checkRootAsync(options);
    const { useClass, useExisting, ...others } = options;
    const factory = useExisting ?? useClass;
    if (factory === undefined) return managerModule(ManagerModule.forRootAsync(options), options);
    const asked = { ...others, inject: [factory], useFactory: askFactory } as typeof ASYNC_OPTIONS_TYPE;
    return managerModule(ManagerModule.forRootAsync(asked), options, useClass === undefined ? [] : [useClass]);
  }

  /**
   * Named caches for `@InjectCache(name)` and the `cache` option of the decorators.
   *
   * @param caches Names, or names with options: `['users', { name: 'cities', ttl: '1h' }]`.
   * @param options `manager`: name of the manager they belong to. Default: the default one.
   */
  static forFeature(caches: readonly FeatureCache[], options: { manager?: string } = {}): DynamicModule {
    checkFeatures(caches, options);
    const providers = caches.map((cache) => featureProvider(cache, options.manager));
    return {
      module: TurboCacheModule,
      imports: [RegistryModule],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}

/** The manager's own module is global, so that features find it; what users inject is not, unless they ask for it. */
function managerModule(
  definition: DynamicModule,
  { name, isGlobal = false }: TurboCacheModuleExtras,
  besides: readonly Provider[] = [],
): DynamicModule {
  const inner = managerToken(name);
  const provide = getCacheToken(name);
  const manager: DynamicModule = {
    ...definition,
    global: true,
    providers: [
      ...(definition.providers ?? []),
      ...besides,
      { provide: MANAGER_EXTRAS, useValue: { name } },
      { provide: inner, useExisting: MANAGER },
    ],
    exports: [inner],
  };
  return {
    module: TurboCacheModule,
    global: isGlobal,
    imports: [manager],
    providers: [{ provide, useExisting: inner }],
    exports: [provide],
  };
}

function featureProvider(
  feature: FeatureCache,
  manager: string | undefined,
): Exclude<Provider, new (...args: never[]) => unknown> & { provide: string } {
  const { name, ...options } = typeof feature === 'string' ? { name: feature } : feature;
  return {
    provide: getCacheToken(name) as string,
    // Not there is for us to say: Nest would name a token, and not what to write.
    inject: [{ token: managerToken(manager), optional: true }, CacheRegistry, ModulesContainer],
    useFactory: (
      owner: CacheManager | undefined,
      registry: CacheRegistry,
      modules: ModulesContainer,
    ): Cache | Promise<never> => {
      if (owner === undefined) return missingManager(name, manager, modules);
      const cache = Object.keys(options).length > 0 ? owner.cache(name, options) : owner.cache(name);
      registry.addCache(name, cache, manager);
      return cache;
    },
  };
}
