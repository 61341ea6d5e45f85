/** One manager: made from the options, registered by name, closed when the application ends. */
import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CacheManager } from '../client';
import { DEFAULT_HASH_KEYS_ABOVE } from '../key/limit';
import { CacheRegistry } from '../registry/cache-registry';
import { logFailures } from '../registry/log-failures';
import { RegistryModule } from '../registry/registry.module';
import { checkManagerOptions } from './check-options';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, type TurboCacheModuleOptions } from './module-options';

/** The manager inside its own module; the outer world knows it by a token that carries its name. */
export const MANAGER = Symbol('turbocache:manager');
/** What is known before the options are: `{ name }`. */
export const MANAGER_EXTRAS = Symbol('turbocache:manager-extras');

@Module({
  imports: [RegistryModule],
  providers: [
    { provide: MANAGER, useFactory: createManager, inject: [MODULE_OPTIONS_TOKEN, MANAGER_EXTRAS, CacheRegistry] },
  ],
})
export class ManagerModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  constructor(@Inject(MANAGER) private readonly manager: CacheManager) {
    super();
  }

  /** Nest calls this when the server has answered its last request; the manager ends its own work first. */
  async onApplicationShutdown(): Promise<void> {
    await this.manager.close();
  }
}

async function createManager(
  moduleOptions: TurboCacheModuleOptions,
  { name }: { name: string | undefined },
  registry: CacheRegistry,
): Promise<CacheManager> {
  checkManagerOptions(moduleOptions);
  const { onError = logFailures(), hashKeysAbove = DEFAULT_HASH_KEYS_ABOVE, ...options } = moduleOptions;
  // Two managers of one application on one Redis must not meet: a name is a namespace.
  const manager = new CacheManager(name === undefined ? options : { namespace: name, ...options });
  try {
    const settings = { onError, hashKeysAbove };
    registry.addManager(name, manager, settings);
    const registered = { ...settings, name, cache: manager };
    const report = (error: unknown): void => CacheRegistry.report(registered, error, { operation: 'tier' });
    manager.on('error', report);
    manager.on('warning', report);
    if (options.redis?.required === true) await manager.ready();
    return manager;
  } catch (error) {
    // Nest does not shut down what did not start.
    await manager.close();
    throw error;
  }
}
