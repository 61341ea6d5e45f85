/**
 * How an object finds the caches of its application. The decorator adds a hidden, optional property dependency to the
 * class; Nest fills it for every scope, controllers included, before the object is used. The value is kept beside the
 * object, not in it: nothing shows up in logs, comparisons or JSON, and frozen objects work.
 *
 * An object that no Nest application made (or whose application has no TurboCacheModule) is not bound, and its methods
 * run uncached, until `bindCache` binds it.
 */
import { Inject, Optional } from '@nestjs/common';
import type { Cache } from '../client';
import { checkBinding } from '../module/check-options';
import { DEFAULT_HASH_KEYS_ABOVE } from '../key/limit';
import { type Binding, CacheRegistry } from './cache-registry';
import type { CacheFailureHandler } from './failure';
import { logFailures } from './log-failures';

const REGISTRY = Symbol('turbocache:registry');
const bindings = new WeakMap<object, Binding>();

/** How this object is bound to the application that made it. */
export function bindingOf(instance: object): Binding | undefined {
  return bindings.get(instance);
}

/** Binds an object to the caches of an application. */
export function bindRegistry(instance: object, registry: CacheRegistry): void {
  bindings.set(instance, registry.bindingOf(instance.constructor));
}

/** Makes Nest bind the objects of this class, and of those that extend it. */
export function bindByInjection(prototype: object): void {
  if (REGISTRY in prototype) return;
  Object.defineProperty(prototype, REGISTRY, {
    configurable: true,
    get: () => undefined,
    set(this: object, registry: unknown) {
      // A test that mocks every missing dependency would hand over a mock: such an object stays uncached.
      if (registry instanceof CacheRegistry) bindRegistry(this, registry);
    },
  });
  Inject(CacheRegistry)(prototype, REGISTRY);
  Optional()(prototype, REGISTRY);
}

/** `true` when the object's class, or one it extends, carries a decorator that needs a cache. */
export function needsBinding(instance: object): boolean {
  return REGISTRY in instance;
}

export interface BindOptions {
  onError?: CacheFailureHandler;
  hashKeysAbove?: number;
}

/**
 * Binds an object that Nest did not make to a cache: `const users = bindCache(new UsersService(db), manager)`. For use
 * without Nest, and for request-scoped providers that come from a factory. Gives the object back.
 */
export function bindCache<T extends object>(instance: T, cache: Cache, options: BindOptions = {}): T {
  checkBinding(instance, cache, options);
  const registry = new CacheRegistry();
  registry.addManager(undefined, cache, {
    onError: options.onError ?? logFailures(),
    hashKeysAbove: options.hashKeysAbove ?? DEFAULT_HASH_KEYS_ABOVE,
  });
  bindRegistry(instance, registry);
  return instance;
}
