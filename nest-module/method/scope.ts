/** Where a call of a decorated method is cached, and with which options: resolved once an application and class. */
import { type EntryOptions, type Shortcuts, shortcutsOf } from '../client';
import { withContext } from '../context/vary-by-context';
import { defaultsOf, freshnessOf } from '../decorators/defaults';
import { limitKey } from '../key/limit';
import { type Binding, CacheRegistry, type RegisteredCache } from '../registry/cache-registry';
import type { CacheFailure } from '../registry/failure';
import type { MethodCall } from './call';

export interface Scope extends RegisteredCache {
  /** What decorator and class say; the rest is the cache's and the manager's. */
  readonly entry: EntryOptions;
  readonly shortcuts: Shortcuts | undefined;
  /** Names of context values that are part of every key. */
  readonly varyBy: readonly string[];
}

export function scopeOf(registered: RegisteredCache, entry: EntryOptions, varyBy: readonly string[] = []): Scope {
  // The cache checks what is frozen once, and not at each miss.
  return { ...registered, entry: Object.freeze({ ...entry }), varyBy, shortcuts: shortcutsOf(registered.cache, entry) };
}

/** The key in the cache: what the context says is in it, and it is no longer than the module allows. */
export function keyIn({ varyBy, hashKeysAbove }: Scope, key: string, call: MethodCall): string {
  return limitKey(withContext(key, varyBy, call), hashKeysAbove);
}

export class ScopeFinder {
  readonly #own: EntryOptions;
  readonly #found = new WeakMap<Binding, Scope>();
  /** Most methods have one application and one class all their life. */
  #last: { readonly binding: Binding; readonly scope: Scope } | undefined;

  constructor(
    private readonly options: { readonly cache?: string | undefined; readonly varyBy?: readonly string[] | undefined },
    fixedTags?: readonly string[],
  ) {
    const fixed = 'ttl' in options && typeof options.ttl === 'function' ? { ...options, ttl: undefined } : options;
    this.#own = { ...freshnessOf(fixed), ...(fixedTags === undefined ? {} : { tags: fixedTags }) };
  }

  /** `undefined`: the application has no such cache, the method runs uncached. */
  find(binding: Binding): Scope | undefined {
    if (this.#last?.binding === binding) return this.#last.scope;
    const scope = this.#found.get(binding) ?? this.#resolve(binding);
    if (scope !== undefined) this.#last = { binding, scope };
    return scope;
  }

  #resolve(binding: Binding): Scope | undefined {
    const defaults = defaultsOf(binding.type);
    const registered = binding.registry.find(this.options.cache ?? defaults.cache);
    if (registered === undefined) return undefined;
    const varyBy = [...new Set([...(defaults.varyBy ?? []), ...(this.options.varyBy ?? [])])];
    const scope = scopeOf(registered, { ...freshnessOf(defaults), ...this.#own }, varyBy);
    this.#found.set(binding, scope);
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
