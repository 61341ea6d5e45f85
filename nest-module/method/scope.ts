/** Where a call of a decorated method is cached, and with which options: resolved once an application and class. */
import type { EntryOptions } from '../client';
import { defaultsOf, freshnessOf } from '../decorators/defaults';
import { CacheRegistry, type RegisteredCache } from '../registry/cache-registry';
import type { CacheFailure } from '../registry/failure';
import type { MethodCall } from './call';

export interface Scope extends RegisteredCache {
  /** What decorator and class say; the rest is the cache's and the manager's. */
  readonly entry: EntryOptions;
}

export class ScopeFinder {
  readonly #own: EntryOptions;
  readonly #found = new WeakMap<CacheRegistry, WeakMap<object, Scope>>();
  /** Most methods have one application and one class all their life: this saves a third of what a hit costs here. */
  #last: { readonly registry: CacheRegistry; readonly type: unknown; readonly scope: Scope } | undefined;

  constructor(
    private readonly options: { readonly cache?: string | undefined },
    fixedTags?: readonly string[],
  ) {
    const fixed = 'ttl' in options && typeof options.ttl === 'function' ? { ...options, ttl: undefined } : options;
    this.#own = { ...freshnessOf(fixed), ...(fixedTags === undefined ? {} : { tags: fixedTags }) };
  }

  /** `undefined`: the application has no such cache, the method runs uncached. */
  find(registry: CacheRegistry, { instance }: MethodCall): Scope | undefined {
    const type = instance.constructor;
    if (this.#last?.registry === registry && this.#last.type === type) return this.#last.scope;
    const scope = this.#found.get(registry)?.get(type) ?? this.#resolve(registry, type);
    if (scope !== undefined) this.#last = { registry, type, scope };
    return scope;
  }

  #resolve(registry: CacheRegistry, type: { prototype: unknown }): Scope | undefined {
    const defaults = defaultsOf(type);
    const registered = registry.find(this.options.cache ?? defaults.cache);
    if (registered === undefined) return undefined;
    const scope = { ...registered, entry: { ...freshnessOf(defaults), ...this.#own } };
    const byType = this.#found.get(registry) ?? new WeakMap<object, Scope>();
    this.#found.set(registry, byType.set(type, scope));
    return scope;
  }
}

export function reportFailure(
  scope: RegisteredCache,
  call: MethodCall,
  operation: CacheFailure['operation'],
  error: unknown,
): void {
  CacheRegistry.report(scope, error, { operation, method: `${call.className}.${call.methodName}` });
}
