/** `TurboCacheEvents`: what becomes of an event or a message once it has arrived. */
import { Inject, Injectable } from '@nestjs/common';
import { ConfigurationError, type TurboCacheError } from '../client';
import type { Eviction } from '../eviction/eviction';
import { evictWhenDue } from '../eviction/when-due';
import { limitKey } from '../key/limit';
import { CacheRegistry, type RegisteredCache } from '../registry/cache-registry';
import type { CacheNames, CompiledRule, DomainEvent } from './rule';

/** Since the application started. */
export interface TurboCacheEventCounts {
  /** Events and messages that a rule was waiting for. */
  readonly received: number;
  /** Evictions made. */
  readonly evicted: number;
  /** Evictions that failed; each was reported to the module's `onError`. */
  readonly failed: number;
  /** Messages that said nothing that could be understood; each was reported to `onError`. */
  readonly malformed: number;
}

@Injectable()
export class TurboCacheEvents {
  readonly #counts = { received: 0, evicted: 0, failed: 0, malformed: 0 };
  readonly #running = new Set<Promise<void>>();

  constructor(@Inject(CacheRegistry) private readonly registry: CacheRegistry) {}

  stats(): TurboCacheEventCounts {
    return { ...this.#counts };
  }

  /** Resolves when the evictions that have begun are made. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** At boot: what messages may speak of, `caches` and the default manager. With neither, `check` misses the latter. */
  speakable(caches: CacheNames): CacheNames {
    return caches.size > 0 && this.registry.find() === undefined ? caches : new Set([undefined, ...caches]);
  }

  /** At boot: the cache of a rule exists, or the application does not start. */
  check(event: string, { cache }: Pick<CompiledRule, 'cache'>): void {
    if (this.registry.find(cache) !== undefined) return;
    const wanted = cache === undefined ? 'the default manager' : `the cache "${cache}"`;
    const expected =
      'TurboCacheModule.forRoot() without a name, or the name of a manager: `cache` of a rule, `caches` for messages';
    throw new ConfigurationError(
      'E_TURBOCACHE_OPTION',
      `TurboCacheEventsModule: the rule for "${event}" uses ${wanted}, which this application does not have; expected ${expected}.`,
      { option: 'cache', got: cache, expected, event },
    );
  }

  /** An event for which there are rules. Resolves when the entries are gone; never rejects. */
  async apply(event: DomainEvent, rules: readonly CompiledRule[]): Promise<void> {
    this.#counts.received += 1;
    await Promise.all(rules.map((rule) => this.#track(this.#applyRule(event, rule))));
  }

  /** An eviction that a message asked for by itself. */
  async evict(event: string, eviction: Eviction): Promise<void> {
    this.#counts.received += 1;
    await this.#track(this.#evict(this.registry.find(eviction.cache), eviction, event));
  }

  /** A message that could not be understood. `caches`: what its rules name. */
  malformed(event: string, error: TurboCacheError, caches: Iterable<string | undefined>): void {
    this.#counts.malformed += 1;
    this.#reportAll(caches, event, error);
  }

  /** Something around the messages that nobody waits for. */
  failed(event: string, error: TurboCacheError, caches: Iterable<string | undefined>): void {
    this.#counts.failed += 1;
    this.#reportAll(caches, event, error);
  }

  async #applyRule(event: DomainEvent, rule: CompiledRule): Promise<void> {
    const registered = this.registry.find(rule.cache);
    if (!this.#concerns(event, rule, registered)) return;
    let eviction: Eviction;
    try {
      eviction = rule.evictionOf(event);
    } catch (error) {
      this.#counts.failed += 1;
      this.#report(registered, event.event, error);
      return;
    }
    await this.#evict(registered, limited(eviction, registered), event.event);
  }

  /** As with `@TurboCacheEvict`, a condition that fails evicts: too fresh is safe, too old is not. */
  #concerns(event: DomainEvent, { concerns }: CompiledRule, registered: RegisteredCache | undefined): boolean {
    try {
      return concerns(event);
    } catch (error) {
      this.#report(registered, event.event, error, 'condition');
      return true;
    }
  }

  async #evict(registered: RegisteredCache | undefined, eviction: Eviction, event: string): Promise<void> {
    if (registered === undefined) return; // Its manager failed to make it, and reported that.
    try {
      await evictWhenDue(registered, eviction);
      this.#counts.evicted += 1;
    } catch (error) {
      this.#counts.failed += 1;
      this.#report(registered, event, error);
    }
  }

  /** The owners of all caches that may now be old, each of them once. */
  #reportAll(caches: Iterable<string | undefined>, event: string, error: unknown): void {
    const owners = new Map<unknown, RegisteredCache>();
    for (const name of caches) {
      const registered = this.registry.find(name);
      if (registered !== undefined) owners.set(registered.onError, registered);
    }
    for (const registered of owners.values()) this.#report(registered, event, error);
  }

  #report(
    registered: RegisteredCache | undefined,
    event: string,
    error: unknown,
    operation: 'evict' | 'condition' = 'evict',
  ): void {
    if (registered === undefined) return;
    CacheRegistry.report(registered, error, { operation, method: `event ${event}` });
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#running.add(work);
    try {
      await work;
    } finally {
      this.#running.delete(work);
    }
  }
}

/** Long keys were stored under their digest. */
function limited(eviction: Eviction, registered: RegisteredCache | undefined): Eviction {
  if (eviction.keys === undefined || registered === undefined) return eviction;
  return { ...eviction, keys: eviction.keys.map((key) => limitKey(key, registered.hashKeysAbove)) };
}
