/** One manager: made from the options, registered by name, closed when the application ends. */
import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CacheManager, ConfigurationError } from '../client';
import { DEFAULT_HASH_KEYS_ABOVE } from '../key/limit';
import { CacheRegistry } from '../registry/cache-registry';
import { logFailures } from '../registry/log-failures';
import { RegistryModule } from '../registry/registry.module';
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
  moduleOptions: TurboCacheModuleOptions | undefined,
  { name }: { name: string | undefined },
  registry: CacheRegistry,
): Promise<CacheManager> {
  const { onError = logFailures(), hashKeysAbove = DEFAULT_HASH_KEYS_ABOVE, ...options } = moduleOptions ?? {};
  checkOwnOptions(onError, hashKeysAbove);
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

function checkOwnOptions(onError: unknown, hashKeysAbove: unknown): void {
  if (typeof onError !== 'function') throw wrong('onError', onError, 'a function of an error and its circumstances');
  // A digest and the readable beginning of a key make 115 characters: a lower limit would make keys longer.
  if (typeof hashKeysAbove !== 'number' || !(hashKeysAbove >= 128)) {
    throw wrong('hashKeysAbove', hashKeysAbove, 'a number of bytes, 128 or more');
  }
}

function wrong(option: string, got: unknown, expected: string): ConfigurationError {
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `TurboCacheModule: option "${option}" is ${typeof got === 'number' ? got : typeof got}; expected ${expected}.`,
    {
      option,
      got,
      expected,
    },
  );
}
