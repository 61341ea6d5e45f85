/** The caches of one application by name. Every application has one registry, and every decorated object finds it. */
import { Logger } from '@nestjs/common';
import { type Cache, ConfigurationError, TurboCacheError } from '../client';
import type { CacheFailure, CacheFailureHandler } from './failure';

/** Decisions of a module that hold for all calls into its caches. */
export interface CacheSettings {
  readonly onError: CacheFailureHandler;
  readonly hashKeysAbove: number;
}

/** A cache, and how the module that owns it wants to be used. */
export interface RegisteredCache extends CacheSettings {
  readonly name: string | undefined;
  readonly cache: Cache;
  /** The manager that the cache belongs to; a manager belongs to itself. */
  readonly manager: Cache;
}

/** What all objects of one class in one application have in common: a call finds everything else through it. */
export interface Binding {
  readonly registry: CacheRegistry;
  readonly type: { readonly prototype: unknown };
}

export class CacheRegistry {
  readonly #bindings = new WeakMap<object, Binding>();
  #default: RegisteredCache | undefined;
  readonly #named = new Map<string, RegisteredCache>();

  /** Always the same one for a class. */
  bindingOf(type: Binding['type']): Binding {
    const binding = this.#bindings.get(type) ?? { registry: this, type };
    this.#bindings.set(type, binding);
    return binding;
  }

  /** A manager; without a name it is the application's default one. */
  addManager(name: string | undefined, cache: Cache, settings: CacheSettings): void {
    if (name === undefined) {
      if (this.#default !== undefined) throw clash('the default manager', 'a `name` for each further module');
      this.#default = { name, cache, manager: cache, ...settings };
      return;
    }
    if (this.#named.has(name)) throw clash(`"${name}"`, 'a name of its own for each manager and cache');
    this.#named.set(name, { name, cache, manager: cache, ...settings });
  }

  /** A named cache of a manager. Several modules may ask for one and the same. */
  addCache(name: string, cache: Cache, managerName?: string): void {
    const owner = this.find(managerName);
    const present = this.#named.get(name);
    if (owner === undefined || present?.cache === cache) return;
    if (present !== undefined) throw clash(`"${name}"`, 'a name of its own for each manager and cache');
    this.#named.set(name, { ...owner, name, cache });
  }

  /** A cache by name, else the default manager; a name nobody registered is a cache of the default manager. */
  find(name?: string): RegisteredCache | undefined {
    if (name === undefined) return this.#default;
    const registered = this.#named.get(name);
    if (registered !== undefined || this.#default === undefined) return registered;
    return this.#derive(this.#default, name);
  }

  /** Who answers for what belongs to no cache: the default manager, else the first that there is. */
  main(): RegisteredCache | undefined {
    return this.#default ?? this.#named.values().next().value;
  }

  #derive(owner: RegisteredCache, name: string): RegisteredCache | undefined {
    try {
      const derived = { ...owner, name, cache: owner.cache.cache(name) };
      this.#named.set(name, derived);
      return derived;
    } catch (error) {
      CacheRegistry.report({ ...owner, name }, error, { operation: 'tier' });
      return undefined;
    }
  }

  /** Hands a failure to the owner of the cache. Whatever the handler does, the caller goes on. */
  static report(
    { onError, name }: Pick<RegisteredCache, 'onError' | 'name'>,
    error: unknown,
    failure: Omit<CacheFailure, 'cache'>,
  ): void {
    try {
      onError(asCacheError(error), name === undefined ? failure : { ...failure, cache: name });
    } catch (cause) {
      Logger.error(cause instanceof Error ? cause : String(cause), 'TurboCache onError');
    }
  }
}

/** What a user's function threw becomes the cause of an error with a code. */
function asCacheError(error: unknown): TurboCacheError {
  if (error instanceof TurboCacheError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new TurboCacheError('E_TURBOCACHE_DECORATOR', `a function of the cache's configuration failed: ${text}`, {
    cause: error,
  });
}

function clash(what: string, expected: string): ConfigurationError {
  return new ConfigurationError(
    'E_TURBOCACHE_CLASH',
    `TurboCacheModule: ${what} is configured twice; expected ${expected}.`,
    {
      option: 'name',
      got: what,
      expected,
    },
  );
}
