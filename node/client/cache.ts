/** A cache of one namespace. Reads that L0 can answer cost a `Map` hit; everything else is in the methods below them. */
import type * as Public from '../../index';
import { aheadOf, type Ahead } from './ahead';
import type { Answer } from './answer';
import { badArgument, checkFunction, checkList, checkObject } from './argument-check';
import { BulkLoad } from './bulk-load';
import { encode } from './codec';
import { incoherences } from './coherence';
import { ConfigurationError } from './errors';
import { memoryTtlOf, resolveEntryOptions, tagsOf, type EntryFreshness } from './freshness';
import { NEVER, type HotNode, type HotSpace, type HotTier } from './hot-tier';
import { checkKey, escapeName, joinPath } from './key';
import { Loading } from './loading';
import { checkLockOptions } from './locks';
import { Migration } from './migration';
import { Flag, Op, ReadStatus, RequestFlag, Status, Word } from './native';
import { checkCacheOptions, type CacheSettings } from './options';
import { checkPattern, checkPatternOptions, deletedIn, PatternReply } from './pattern';
import { clearFlags, tagFlags } from './reach';
import { ManyReads, Reply } from './reply';
import type { Request } from './request-ring';
import { closedError } from './session';
import { SHORTCUTS, Shortcuts } from './shortcuts';
import type { Space } from './space';
import type { Spaces } from './spaces';
import { checkTags, encodeTags } from './tags';
import type { Tiers } from './tiers';
import { TtlRule } from './ttl-rule';
import { checkVersioning, notOverCluster, sameMigration, type Versioning } from './version';

type Cache = Public.Cache;

/** A cache of the version before, and how its values become values of this one. */
interface Before {
  readonly cache: Cache;
  readonly value: Public.MigrateOptions['value'];
}

/** A named cache that was opened. */
interface Named {
  readonly cache: NamespaceCache;
  readonly settings: CacheSettings;
  readonly versioning: Versioning;
}

export class NamespaceCache implements Cache {
  readonly namespacePath: string;
  readonly #spaces: Spaces;
  readonly #hot: HotTier;
  readonly #entries: HotSpace;
  readonly #tiers: Tiers;
  readonly #space: Space;
  readonly #settings: CacheSettings;
  readonly #ttlRule: TtlRule;
  readonly #loading: Loading;
  /** Of calls without options. */
  readonly #ahead: Ahead | null;
  /** How long what L2 has is kept here. */
  readonly #memoryTtl: number;
  /** Of calls without options. */
  readonly #plain: EntryFreshness;
  readonly #resolved = new WeakMap<Public.EntryOptions, EntryFreshness>();
  /**
   * What this version takes values over from. Each change is made there first, in the same turn: a load that begins behind
   * the change here must not find the old value there (see `migration.ts`).
   */
  readonly #before: Cache | undefined;
  /** By level: a name, and its version. */
  readonly #caches = new Map<string, Named>();
  /** Those that were opened first, by name. */
  readonly #firsts = new Map<string, NamespaceCache>();
  readonly #namespaces = new Map<string, NamespaceCache>();

  /** `root` is the manager's namespace, `path` what is below it; both escaped. */
  constructor(spaces: Spaces, root: string, path: string, settings: CacheSettings, before?: Before) {
    const { tiers } = spaces;
    this.namespacePath = path === '' ? root : joinPath(root, path);
    this.#spaces = spaces;
    this.#tiers = tiers;
    this.#settings = settings;
    this.#space = spaces.open(path, settings.codec, settings.reads, settings.bulkhead);
    this.#hot = tiers.hot;
    this.#entries = this.#space.hot;
    this.#ttlRule = new TtlRule(settings.strategy, tiers.random, (error) => tiers.reports.error(error));
    this.#before = before?.cache;
    const migration = before === undefined ? undefined : new Migration(this.#space, before.cache, before.value);
    this.#loading = new Loading(this.#space, this.#ttlRule, migration, () => this.#checkOpen());
    this.#ahead = aheadOf(settings.freshness);
    this.#memoryTtl = memoryTtlOf(settings.freshness);
    this.#plain = resolveEntryOptions(settings.freshness, undefined);
  }

  get<T = unknown>(key: string): Promise<T | undefined> {
    const node = this.#hot.find(this.#entries, key);
    if (node !== undefined) return settled<T>(node.kept.take());
    try {
      return this.#getBelow<T>(key);
    } catch (error) {
      return rejected(error);
    }
  }

  peek<T = unknown>(key: string): T | undefined {
    const node = this.#hot.find(this.#entries, key);
    if (node !== undefined) return node.kept.take() as T;
    this.#check(key);
    return this.#readMemory(key) as T | undefined;
  }

  getOrSet<T>(key: string, loader: Public.Loader<T>, options?: Public.EntryOptions): Promise<T> {
    const node = this.#hot.find(this.#entries, key);
    try {
      if (node === undefined) {
        this.#check(key);
        checkFunction('loader', loader);
        return this.#loading.getOrLoad(key, loader, this.#entry(options)) as Promise<T>;
      }
      // The options of a hit are not checked: they were, when the value was loaded.
      if (this.#ahead !== null || options?.eagerRefresh || options?.earlyRefresh) {
        this.#lookAhead(key, node, loader, options);
      }
      return settled<T>(node.kept.take());
    } catch (error) {
      return rejected(error);
    }
  }

  set<T>(key: string, value: T, options?: Public.EntryOptions): Promise<void> {
    try {
      return this.#store(this.#setRequest(key, value, options));
    } catch (error) {
      return rejected(error);
    }
  }

  async delete(key: string): Promise<boolean> {
    return this.#write(Op.Delete, key);
  }

  async expire(key: string): Promise<boolean> {
    return this.#write(Op.Expire, key);
  }

  async has(key: string): Promise<boolean> {
    if (this.#hot.find(this.#entries, key) !== undefined) return true;
    this.#check(key);
    if (this.#space.readMemory(key) === ReadStatus.Hit) return true;
    if (!this.#tiers.hasRemote) return false;
    return this.#send({ op: Op.Has, namespaceId: this.#space.id, key, memoryTtl: this.#memoryTtl }, false, isYes);
  }

  async getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]> {
    checkList('keys', keys);
    for (const key of keys) this.#check(key);
    const asked = keys.slice();
    const values = asked.map((): T | undefined => undefined);
    return new Promise((resolve, reject) => {
      const read = (answer: Answer, index: number): T | undefined =>
        this.#receive(asked[index]!, answer) as T | undefined;
      const reads = new ManyReads(values, read, this.#tiers.watch, resolve, reject);
      for (const [index, key] of asked.entries()) {
        const value = this.#near(key);
        if (value !== undefined) values[index] = value as T;
        else if (this.#tiers.hasRemote) this.#tiers.session.send(this.#getRequest(key), reads.waitFor(index));
      }
      reads.arrived();
    });
  }

  async setMany<T>(entries: readonly Public.SetManyEntry<T>[]): Promise<void> {
    checkList('entries', entries);
    // All are checked and encoded before the first is written: a bad one leaves nothing half done.
    const requests = entries.map((entry) => {
      checkObject('entries', entry);
      const { key, value, ...options } = entry;
      return this.#setRequest(key, value, options);
    });
    await Promise.all(requests.map((request) => this.#store(request)));
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    checkList('keys', keys);
    for (const key of keys) this.#check(key);
    const removed = await Promise.all([...new Set(keys)].map((key) => this.#write(Op.Delete, key)));
    return removed.filter(Boolean).length;
  }

  async getOrSetMany<T>(
    keys: readonly string[],
    loadMissing: Public.ManyLoader<T>,
    options?: Public.EntryOptions,
  ): Promise<(T | undefined)[]> {
    checkList('keys', keys);
    checkFunction('loadMissing', loadMissing);
    const unique = new Set(keys);
    for (const key of unique) this.#check(key);
    const bulk = new BulkLoad<T>(this.#space, loadMissing, unique.size);

    const found = new Map<string, Promise<T>>();
    for (const key of unique) {
      let asked = false;
      const loader = bulk.loaderOf(() => (asked = true));
      const value = this.getOrSet(key, loader, options);
      found.set(key, value);
      const answered = (): void => {
        if (!asked) bulk.answered();
      };
      value.then(answered, answered);
    }
    // A key that occurs twice gets two values, because each caller's value is its own.
    const taken = new Set<string>();
    return Promise.all(
      keys.map(async (key) => {
        const value = found.get(key)!;
        if (taken.has(key)) return this.#again(key, await value);
        taken.add(key);
        return value;
      }),
    );
  }

  async invalidateTags(tags: readonly string[], options?: Public.InvalidateTagsOptions): Promise<void> {
    this.#checkOpen();
    const checked = checkTags('tags', tags);
    const flags = tagFlags(options);
    if (checked.length === 0) return;
    const before = this.#before?.invalidateTags(checked, options);
    const done = this.#send(
      { op: Op.InvalidateTags, namespaceId: this.#space.id, key: '', tags: encodeTags(checked), flags },
      undefined,
    );
    // Handed over at once: what the hot tier holds must not outlive this call.
    this.#tiers.session.flush();
    await behind(before, done);
  }

  async deletePattern(pattern: string, options?: Public.DeletePatternOptions): Promise<number> {
    this.#checkOpen();
    checkPattern(pattern);
    const { batch, onProgress } = checkPatternOptions(options);
    const flags = onProgress === undefined ? 0 : RequestFlag.Progress;
    // It takes many steps: those of the version before have ended when the first one is done here.
    if (this.#before !== undefined) await this.#before.deletePattern(pattern, batch === 0 ? {} : { batch });
    const request = { op: Op.DeletePattern, namespaceId: this.#space.id, key: pattern, lease: batch, flags };
    return new Promise<number>((resolve, reject) => {
      const end = new Reply(deletedIn, 0, this.#tiers.watch, resolve, reject);
      this.#tiers.session.send(request, new PatternReply(end, onProgress, reject));
    });
  }

  async lock(key: string, options?: Public.LockOptions): Promise<Public.Lock> {
    this.#check(key);
    return this.#tiers.locks.take(this.#tiers, this.#space.id, key, checkLockOptions(options));
  }

  async clear(options?: Public.ClearOptions): Promise<void> {
    this.#checkOpen();
    const flags = clearFlags(options);
    const before = this.#before?.clear(options);
    const done = this.#send({ op: Op.Clear, namespaceId: this.#space.id, key: '', flags }, undefined);
    this.#tiers.session.flush();
    this.#spaces.clearHot(this.#space.path);
    await behind(before, done);
  }

  async getEntry<T = unknown>(key: string): Promise<Public.CacheEntry<T> | undefined> {
    this.#check(key);
    const isHot = this.#hot.find(this.#entries, key) !== undefined;
    return this.#send(
      { op: Op.Entry, namespaceId: this.#space.id, key, memoryTtl: this.#memoryTtl },
      undefined,
      (answer) => this.#entryOf<T>(key, answer, isHot),
    );
  }

  cache(name: string, options?: Public.CacheOptions): Cache {
    const first = this.#firsts.get(name);
    if (first !== undefined && options === undefined) return first;
    const settings = options === undefined ? this.#settings : checkCacheOptions(options, this.#settings);
    const versioning = checkVersioning(name, options ?? {});
    const known = this.#caches.get(versioning.level);
    if (known !== undefined) {
      if (sameSettings(settings, known.settings) && sameMigration(versioning, known.versioning)) return known.cache;
      throw clash(name);
    }
    const cache = this.#nested(versioning.level, settings, this.#beforeOf(versioning, settings));
    this.#caches.set(versioning.level, { cache, settings, versioning });
    if (first === undefined) this.#firsts.set(name, cache);
    if (options !== undefined) this.#tiers.reports.warnings(incoherences(`cache '${name}'`, settings.freshness));
    return cache;
  }

  namespace(name: string): Cache {
    const known = this.#namespaces.get(name);
    if (known !== undefined) return known;
    const cache = this.#nested(escapeName('name', name), this.#settings);
    this.#namespaces.set(name, cache);
    return cache;
  }

  [SHORTCUTS](options: Public.FreshnessOptions): Shortcuts {
    return new Shortcuts(this.#space, this.#aheadOf(options), (key, loader, options) => {
      const value = this.peek(key);
      return value === undefined ? this.#loading.loadNow(key, loader, this.#entry(options)) : value;
    });
  }

  #aheadOf({ eagerRefresh, earlyRefresh }: Public.FreshnessOptions): Ahead | null {
    const { freshness } = this.#settings;
    return aheadOf({
      eagerRefresh: eagerRefresh === undefined ? freshness.eagerRefresh : eagerRefresh,
      earlyRefresh: earlyRefresh === undefined ? freshness.earlyRefresh : earlyRefresh,
    });
  }

  #lookAhead(key: string, node: HotNode, loader: Public.Loader<unknown>, options?: Public.EntryOptions): void {
    const ahead = options === undefined ? this.#ahead : this.#aheadOf(options);
    if (ahead === null) return;
    this.#loading.lookAhead(ahead, node, () => {
      checkFunction('loader', loader);
      return this.#loading.request(key, loader, this.#entry(options));
    });
  }

  /** `level` is escaped. */
  #nested(level: string, settings: CacheSettings, before?: Before): NamespaceCache {
    this.#checkOpen();
    const root =
      this.#space.path === '' ? this.namespacePath : this.namespacePath.slice(0, -this.#space.path.length - 1);
    return new NamespaceCache(this.#spaces, root, joinPath(this.#space.path, level), settings, before);
  }

  #beforeOf({ migration }: Versioning, settings: CacheSettings): Before | undefined {
    if (migration === undefined) return undefined;
    if (this.#tiers.isCluster) throw notOverCluster();
    // Shown with the life that it has, whatever memory would keep of it.
    const freshness = { ...settings.freshness, l1Ttl: null, l2Ttl: null };
    return { cache: this.#nested(migration.from, { ...settings, freshness }), value: migration.value };
  }

  /** From the memory of this process. */
  #near(key: string): unknown {
    const node = this.#hot.find(this.#entries, key);
    if (node !== undefined) return node.kept.take();
    return this.#tiers.hasMemory ? this.#readMemory(key) : undefined;
  }

  #getBelow<T>(key: string): Promise<T | undefined> {
    this.#check(key);
    const value = this.#tiers.hasMemory ? this.#readMemory(key) : undefined;
    if (value !== undefined || !this.#tiers.hasRemote) return Promise.resolve(value as T | undefined);
    return this.#send(this.#getRequest(key), undefined, (answer) => this.#receive(key, answer) as T | undefined);
  }

  #getRequest(key: string): Request {
    const flags = this.#tiers.hasHot ? 0 : RequestFlag.Unkept;
    return { op: Op.Get, namespaceId: this.#space.id, key, flags, memoryTtl: this.#memoryTtl };
  }

  #receive(key: string, answer: Answer): unknown {
    return answer.status === Status.Hit ? this.#space.receive(key, answer) : undefined;
  }

  #readMemory(key: string): unknown {
    if (this.#space.readMemory(key) !== ReadStatus.Hit) return undefined;
    return this.#space.receive(key, this.#tiers.session.answer);
  }

  #setRequest(key: string, value: unknown, options: Public.EntryOptions | undefined): Request {
    this.#check(key);
    if (value === undefined)
      throw badArgument('value', value, 'a value; undefined means "not in the cache", delete() removes');
    const { freshness, tags } = this.#entry(options);
    const encoded = encode(this.#space.codec, key, value, this.#tiers.maxValueBytes);
    const lives = this.#ttlRule.decide(freshness, { key, value, loadTime: undefined, chosen: undefined });
    return {
      op: Op.Set,
      namespaceId: this.#space.id,
      key,
      value: encoded,
      tags: encodeTags(tagsOf(tags, value)),
      ...lives,
      grace: freshness.grace,
    };
  }

  #store(request: Request): Promise<void> {
    return behind(this.#before?.delete(request.key), this.#send(request, undefined));
  }

  /** Whether there was something, here or in the version before. */
  #write(op: Op.Delete | Op.Expire, key: string): Promise<boolean> {
    this.#check(key);
    const before = op === Op.Delete ? this.#before?.delete(key) : this.#before?.expire(key);
    const done = this.#send({ op, namespaceId: this.#space.id, key }, false, isYes);
    return before === undefined ? done : Promise.all([before, done]).then((found) => found.includes(true));
  }

  #send(request: Request, ifRemoteFails: undefined): Promise<undefined>;
  #send<T>(request: Request, ifRemoteFails: T, read: (answer: Answer) => T): Promise<T>;
  #send<T>(request: Request, ifRemoteFails: T, read: (answer: Answer) => T = () => ifRemoteFails): Promise<T> {
    if (changesKey(request.op)) this.#tiers.hot.remove(this.#space.hot, request.key);
    return new Promise<T>((resolve, reject) => {
      this.#tiers.session.send(request, new Reply(read, ifRemoteFails, this.#tiers.watch, resolve, reject));
    });
  }

  #entryOf<T>(key: string, answer: Answer, isHot: boolean): Public.CacheEntry<T> | undefined {
    if (answer.status !== Status.Hit && answer.status !== Status.Stale) return undefined;
    const stale = answer.status === Status.Stale;
    const facts = {
      tier: isHot ? ('hot' as const) : answer.has(Flag.Remote) ? ('remote' as const) : ('memory' as const),
      ttl: orNever(answer.word(Word.FreshFor)),
      expiresIn: orNever(answer.word(Word.GoneIn)),
      stale,
      tags: answer.tagNames(),
      size: answer.word(Word.ValueBytes),
    };
    const value = this.#space.decode(answer);
    return value === undefined ? undefined : { key, value: value as T, ...facts };
  }

  #again<T>(key: string, value: T): T {
    if (this.#space.reads === 'shared' || typeof value !== 'object' || value === null) return value;
    return this.#space.receiveOwn(key, encode(this.#space.codec, key, value, Infinity)).take() as T;
  }

  #entry(options: Public.EntryOptions | undefined): EntryFreshness {
    const known = options === undefined ? this.#plain : this.#resolved.get(options);
    if (known !== undefined) return known;
    const entry = resolveEntryOptions(this.#settings.freshness, options);
    // Options that nobody can alter are checked once: those of a decorated method.
    if (options !== undefined && Object.isFrozen(options) && typeof options.tags !== 'object') {
      this.#resolved.set(options, entry);
    }
    return entry;
  }

  #check(key: unknown): asserts key is string {
    this.#checkOpen();
    checkKey(key, this.#tiers.maxKeyBytes);
  }

  #checkOpen(): void {
    if (this.#tiers.closed) throw closedError();
  }
}

/** A promise without an `async` function around it, which would cost more than the hit. */
function settled<T>(value: unknown): Promise<T> {
  return Promise.resolve(value as T);
}

/** What the checks throw becomes the promise's error: a method that returns promises does not throw. */
function rejected(thrown: unknown): Promise<never> {
  const error = thrown as Error;
  return Promise.reject(error);
}

/** A change, and the same in the version before, which was asked for first. */
function behind<T>(before: Promise<unknown> | undefined, change: Promise<T>): Promise<T> {
  return before === undefined ? change : Promise.all([change, before]).then(([answer]) => answer);
}

function isYes(answer: Answer): boolean {
  return answer.has(Flag.Yes);
}

function changesKey(op: Op): boolean {
  return op === Op.Set || op === Op.Delete || op === Op.Expire;
}

function orNever(ms: number): number | null {
  return ms >= NEVER ? null : ms;
}

function sameSettings(a: CacheSettings, b: CacheSettings): boolean {
  const names = Object.keys(a.freshness) as (keyof CacheSettings['freshness'])[];
  const sameFreshness = names.every((name) => a.freshness[name] === b.freshness[name]);
  const [{ bulkhead: one }, { bulkhead: other }] = [a, b];
  const sameLimits = one.maxConcurrent === other.maxConcurrent && one.maxQueued === other.maxQueued;
  return sameFreshness && sameLimits && a.codec.id === b.codec.id && a.reads === b.reads && a.strategy === b.strategy;
}

function clash(name: string): ConfigurationError {
  const message = `The cache '${name}' exists with other options; expected the same ones, or none.`;
  return new ConfigurationError('E_TURBOCACHE_CLASH', message, {
    option: 'options',
    name,
    expected: 'the options of the first call',
  });
}
