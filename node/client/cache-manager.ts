/** The entry point: owns the tiers, and is itself the cache of its root namespace. */
import { EventEmitter } from 'node:events';
import type * as Public from '../../index';
import { binding } from './binding-source';
import { NamespaceCache } from './cache';
import { incoherences } from './coherence';
import { RemoteError } from './errors';
import { escapeName } from './key';
import { checkManagerOptions, type Defaults } from './options';
import { Reports } from './reports';
import { closedError } from './session';
import { SHORTCUTS, type Shortcuts } from './shortcuts';
import { Spaces } from './spaces';
import { Tiers } from './tiers';

export class CacheManager extends EventEmitter<Public.CacheManagerEvents> implements Public.CacheManager {
  readonly namespacePath: string;
  readonly #tiers: Tiers;
  readonly #root: NamespaceCache;
  readonly #ready: { readonly required: boolean; readonly limit: number };
  #closing: Promise<void> | undefined;

  constructor(options?: Public.CacheManagerOptions) {
    super();
    const native = binding();
    const checked = checkManagerOptions(options, JSON.parse(native.defaultOptions()) as Defaults);
    const reports = new Reports(this);
    this.#tiers = new Tiers(native, checked, reports, Math.random);
    reports.warnings(incoherences('manager', checked.cache.freshness));
    this.namespacePath = options?.namespace === undefined ? '' : escapeName('option namespace', options.namespace);
    this.#root = new NamespaceCache(new Spaces(this.#tiers), this.namespacePath, '', checked.cache);
    this.#ready = { required: checked.redis.required, limit: checked.redis.connectTimeout };
  }

  get<T = unknown>(key: string): Promise<T | undefined> {
    return this.#root.get<T>(key);
  }

  set<T>(key: string, value: T, options?: Public.EntryOptions): Promise<void> {
    return this.#root.set(key, value, options);
  }

  delete(key: string): Promise<boolean> {
    return this.#root.delete(key);
  }

  has(key: string): Promise<boolean> {
    return this.#root.has(key);
  }

  expire(key: string): Promise<boolean> {
    return this.#root.expire(key);
  }

  getOrSet<T>(key: string, loader: Public.Loader<T>, options?: Public.EntryOptions): Promise<T> {
    return this.#root.getOrSet(key, loader, options);
  }

  peek<T = unknown>(key: string): T | undefined {
    return this.#root.peek<T>(key);
  }

  getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]> {
    return this.#root.getMany<T>(keys);
  }

  setMany<T>(entries: readonly Public.SetManyEntry<T>[]): Promise<void> {
    return this.#root.setMany(entries);
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#root.deleteMany(keys);
  }

  getOrSetMany<T>(
    keys: readonly string[],
    loadMissing: Public.ManyLoader<T>,
    options?: Public.EntryOptions,
  ): Promise<(T | undefined)[]> {
    return this.#root.getOrSetMany(keys, loadMissing, options);
  }

  invalidateTags(tags: readonly string[], options?: Public.InvalidateTagsOptions): Promise<void> {
    return this.#root.invalidateTags(tags, options);
  }

  deletePattern(pattern: string, options?: Public.DeletePatternOptions): Promise<number> {
    return this.#root.deletePattern(pattern, options);
  }

  lock(key: string, options?: Public.LockOptions): Promise<Public.Lock> {
    return this.#root.lock(key, options);
  }

  clear(options?: Public.ClearOptions): Promise<void> {
    return this.#root.clear(options);
  }

  getEntry<T = unknown>(key: string): Promise<Public.CacheEntry<T> | undefined> {
    return this.#root.getEntry<T>(key);
  }

  cache(name: string, options?: Public.CacheOptions): Public.Cache {
    return this.#root.cache(name, options);
  }

  namespace(name: string): Public.Cache {
    return this.#root.namespace(name);
  }

  [SHORTCUTS](options: Public.FreshnessOptions): Shortcuts {
    return this.#root[SHORTCUTS](options);
  }

  async ready(): Promise<void> {
    if (this.#tiers.closed) throw closedError();
    if (this.#tiers.watch === undefined) return;
    const { required, limit } = this.#ready;
    const answer = await this.#tiers.watch.firstAnswer(limit, () => this.#tiers.closed);
    if (answer === 'gone') throw closedError();
    if (answer === 'up' || !required) return;
    throw new RemoteError(
      'E_TURBOCACHE_REMOTE',
      `Redis did not answer within ${limit} ms (redis.connectTimeout), and redis.required is set.`,
      {
        option: 'redis.required',
        expected: `an answer within ${limit} ms`,
      },
    );
  }

  stats(): Public.CacheStats {
    return this.#tiers.stats();
  }

  close(): Promise<void> {
    this.#closing ??= this.#tiers.close();
    return this.#closing;
  }
}
