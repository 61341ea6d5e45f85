/**
 * turbocache-js: a coherent multi-tier cache. This file is the whole public API of the package root; the decorators
 * and the NestJS module live in `turbocache-js/nest`.
 *
 * Units, everywhere: a `number` of time is milliseconds, a `number` of size is bytes.
 */

/// <reference types="node" />
import type { EventEmitter } from 'node:events';

// ---------------------------------------------------------------------------------------------------- vocabulary

/** A length of time: milliseconds as a number, or a string with a unit: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** A time to live: a {@link Duration} above zero, or `null` for "never expires". */
export type Ttl = Duration | null;

/** A size: bytes as a number, or a string with a unit (powers of 1,024): `'512b'`, `'64kb'`, `'64mb'`, `'2gb'`. */
export type Size = number | `${number}${'b' | 'kb' | 'mb' | 'gb'}`;

/**
 * What a read of the hot tier hands out.
 * - `copy`: a private copy; the caller may change it.
 * - `frozen`: one deeply frozen object for everybody; a change throws in strict mode.
 * - `shared`: one object for everybody, not frozen; whoever changes it changes what others read. Your explicit waiver.
 */
export type ReadMode = 'copy' | 'frozen' | 'shared';

/** The tier that answered: decoded objects, native memory, the remote tier (Redis or an adapter), or the loader. */
export type TierName = 'hot' | 'memory' | 'remote' | 'loader';

// ------------------------------------------------------------------------------------------------------- options

/** How long a value lives and how it is renewed. Accepted by a call, a decorator, a named cache and the manager; the nearest wins. */
export interface FreshnessOptions {
  /** Time a value is fresh. `null` = for ever. @default '5m' */
  ttl?: Ttl;
  /** The same in memory (L0 and L1), where it is not `ttl`: L2 is asked again after it. `null` = `ttl`. @default null */
  l1Ttl?: Duration | null;
  /** The same in the remote tier, where it is not `ttl`. `null` = `ttl`. @default null */
  l2Ttl?: Duration | null;
  /** No ttl is longer, whoever decides it: options, loader, strategy. `null` = no limit. @default null */
  maxTtl?: Duration | null;
  /** The ttl of the value `null`. `null` = the one of all values. @default null */
  nullTtl?: Duration | null;
  /** Time in which a loader that failed without an old value is not called again: callers get the same error. In each isolate for itself. `null` = errors are not remembered. @default null */
  errorTtl?: Duration | null;
  /** Each ttl is shortened by a random part of at most this time, so that entries written together do not expire together. @default 0 */
  jitter?: Duration;
  /** Time after `ttl` in which the old value may still be served when the loader fails or is slow. `0` = none. @default 0 */
  grace?: Duration;
  /** After a loader has failed and an old value was served: time until the next attempt; the old value is served at once meanwhile. In each process for itself. `0` = the next call tries. @default 0 */
  graceBackoff?: Duration;
  /** Stale while revalidate: a value in its grace is served at once, and reloaded in the background. @default false */
  swr?: boolean;
  /** If an old value in its grace exists and the loader needs longer than this, the old value is returned and the load goes on in the background. `null` = wait. @default null */
  softTimeout?: Duration | null;
  /** A caller never waits longer than this for the loader: it gets the old value if there is one, else a `LoaderTimeoutError`; the load goes on in the background. `null` = no limit. @default null */
  hardTimeout?: Duration | null;
  /** A caller waits for a load of another process at most this long, then it loads here, and the value stays in this process. `null` = no limit, `0` = do not wait. @default '10s' */
  lockTimeout?: Duration | null;
  /** A loader that needs longer is given up, in the background too: its signal is aborted, what it brings is dropped, and the next caller loads. `null` = no limit. @default '1m' */
  loaderDeadline?: Duration | null;
  /** Fraction of `ttl` (above 0, below 1) after which a hit starts one background reload and returns at once. `null` = off. @default null */
  eagerRefresh?: number | null;
  /** Probabilistic early reload (XFetch): a hit starts a background reload by chance, likelier the nearer the end of the ttl and the longer the last load took. The number is the paper's beta: 1 is the optimum, more is earlier. `null` = off. @default null */
  earlyRefresh?: number | null;
  /** What callers get, and nobody stores, when the loader fails and there is no old value: a value, or a function of the error. `undefined` = the error. */
  fallback?: unknown;
}

/** Options of one `set`, `getOrSet`, … call. */
export interface EntryOptions extends FreshnessOptions {
  /** Labels by which many entries can be dropped with one `invalidateTags`, or a function that makes them from the value. At most 64, each at most 256 bytes. */
  tags?: readonly string[] | ((value: any) => readonly string[]);
}

/** See {@link MemoryOptions.eviction}. */
export type Eviction = 's3-fifo' | 'tiny-lfu';

/** L1: encoded values in native memory, one store for all worker threads of the process. */
export interface MemoryOptions {
  /** Upper limit in true bytes: key + value + bookkeeping. Above it the least valuable entries go. @default '64mb' */
  maxBytes?: Size;
  /**
   * How the least valuable entries are found. `s3-fifo` takes about 110 bytes of bookkeeping an entry, `tiny-lfu` about 425;
   * `tiny-lfu` remembers for longer how often a key was used. @default 's3-fifo'
   */
  eviction?: Eviction;
}

/** L0: decoded objects in the JavaScript heap of each isolate. */
export interface HotOptions {
  /** Upper limit in entries. @default 10_000 */
  maxEntries?: number;
  /** Upper limit in estimated bytes (encoded size of the values). @default '32mb' */
  maxBytes?: Size;
  /** What a hit hands out. @default 'copy' */
  reads?: ReadMode;
}

/** L2: Redis or a compatible server, at one of `url`, `cluster` and `sentinel`. */
export interface RedisOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS. */
  url?: string;
  /** Some nodes of a Redis Cluster, from which the others are learned: `redis://[user:password@]host[:port]`. Scheme, user and password are the same for all. */
  cluster?: readonly string[];
  /** Sentinels that know the master. */
  sentinel?: SentinelOptions;
  /** `true`: `ready()` rejects while the server cannot be reached. The constructor never throws for that. @default false */
  required?: boolean;
  /** Limit for one connection attempt. @default '1s' */
  connectTimeout?: Duration;
  /** Deadline of every command, in time in which this process runs; after it the call goes on without Redis. @default '500ms' */
  commandTimeout?: Duration;
  /**
   * Whether Redis is asked to tell of changes by other programs (server-assisted client-side caching, RESP3), so that they
   * reach the memory and the hot tier at once. Without these two tiers nothing is asked. @default true
   */
  tracking?: boolean;
}

/** A master that Sentinels watch. */
export interface SentinelOptions {
  /** Name of the master, as in `sentinel monitor <name> …`. */
  name: string;
  /** The Sentinels: `redis://[user:password@]host[:port]`, `rediss://` for TLS. User and password are those of the Sentinels; the port is 26379 when there is none. */
  nodes: readonly string[];
  /** User of the master and its replicas. */
  username?: string;
  /** Password of the master and its replicas. */
  password?: string;
  /** Number of the database on the master. @default 0 */
  database?: number;
  /** TLS to the master and its replicas. @default false */
  tls?: boolean;
}

/** Compression of what goes to the remote tier. A value is kept compressed only when that makes it smaller. */
export interface CompressionOptions {
  /** Encoded values of at least this size are compressed. @default '1kb' */
  threshold?: Size;
  /** zstd level, 1 to 19. @default 1 */
  level?: number;
}

/** How many loaders of one cache run at a time, so that a slow origin does not take all of a process; in each worker thread. */
export interface BulkheadOptions {
  /** Loaders that run at a time; one of `getOrSetMany` counts once. Above it, who has an old value gets that at once, and the others wait in a row. `null` = no limit. @default null */
  maxConcurrent?: number | null;
  /** Loads that may wait in that row; the next one is an `OverloadedError`. @default 1_000 */
  maxQueued?: number;
}

/** Options of {@link CacheManager}. Unknown names and values of a wrong type are errors. */
export interface CacheManagerOptions extends FreshnessOptions {
  /**
   * Isolation: first part of every key. Managers of one process that name the same namespace, worker threads included,
   * share one memory tier. A manager without a namespace keeps its memory to itself. At most 256 bytes.
   */
  namespace?: string;
  /** Separates deploys: another version sees none of this one's entries. */
  version?: string | number;
  /** L1, or `false` to switch it off. */
  memory?: MemoryOptions | false;
  /** L0, or `false` to switch it off. */
  hot?: HotOptions | false;
  /** L2 over Redis. Absent: no remote tier. */
  redis?: RedisOptions;
  /** L2 over any other store. Not together with `redis`. The memory of such a manager is never shared between worker threads. */
  adapter?: ICacheAdapter;
  /** Encoding of values. @default 'json' */
  serializer?: 'json' | ISerializer;
  /** Compression in L2, or `false`. */
  compression?: CompressionOptions | false;
  /** Decides the ttl of an entry from its key and value. */
  strategy?: ICacheStrategy;
  /** Limits the loaders that run at a time. Named caches have the same limits, and count for themselves. */
  bulkhead?: BulkheadOptions;
  /** Longest key in UTF-8 bytes; a longer one is an error. @default 1_024 */
  maxKeyBytes?: number;
  /** Largest encoded value; a larger one is an error. @default '16mb' */
  maxValueBytes?: Size;
}

/** Options of a named cache: the manager's, except what belongs to the process. */
export interface CacheOptions extends FreshnessOptions {
  /** Separates deploys, for this cache: caches of one name and two versions share nothing, neither entries nor tags nor `clear`. */
  version?: string | number;
  /** What the values look like: any JSON value, a JSON Schema for one. Its fingerprint is part of the version; the order of an object's names does not matter. */
  schema?: unknown;
  /** Takes values over from the version before, see docs/guides/versions.md. Not over a Redis Cluster. */
  migrate?: MigrateOptions;
  /** Encoding of values of this cache. */
  serializer?: 'json' | ISerializer;
  /** Decides the ttl of an entry of this cache. */
  strategy?: ICacheStrategy;
  /** Limits the loaders of this cache. */
  bulkhead?: BulkheadOptions;
  /** What a hit of the hot tier hands out. */
  reads?: ReadMode;
}

/** How a version of a cache begins with what the version before has. */
export interface MigrateOptions {
  /** The version before, as the cache of that deploy says it: `version`, or both, or `{}` for neither. */
  from: string | number | { version?: string | number; schema?: unknown };
  /** The value of this version for a key of which `getOrSet` has none, from the old one, which is the function's own. `undefined`: it cannot be made, and the loader is called. */
  value(old: any, context: { readonly key: string }): unknown;
}

// -------------------------------------------------------------------------------------------------------- results

/** One entry as {@link Cache.getEntry} shows it. Times are milliseconds; `null` = never. */
export interface CacheEntry<T = unknown> {
  key: string;
  value: T;
  /** Which tier holds it nearest to the caller. */
  tier: Exclude<TierName, 'loader'>;
  /** Time until it is no longer fresh; negative when it is in its grace. */
  ttl: number | null;
  /** Time until it is gone, grace included. */
  expiresIn: number | null;
  /** `true` when only the grace keeps it. */
  stale: boolean;
  tags: readonly string[];
  /** Encoded size in bytes. */
  size: number;
}

/** Which entries {@link Cache.invalidateTags} reaches, and what becomes of them. */
export interface InvalidateTagsOptions {
  /** `any`: entries that carry one of the tags. `all`: only those that carry all of them. @default 'any' */
  mode?: 'any' | 'all';
  /** `true`: they become stale, so that their grace can still be served when a loader fails or is slow. `false`: they are gone. @default false */
  soft?: boolean;
}

/** What becomes of the entries that {@link Cache.clear} reaches. */
export interface ClearOptions {
  /** `true`: they become stale, so that their grace can still be served when a loader fails or is slow. `false`: they are gone. @default false */
  soft?: boolean;
}

/** One element of {@link Cache.setMany}. */
export interface SetManyEntry<T = unknown> extends EntryOptions {
  key: string;
  value: T;
}

/** Options of {@link Cache.deletePattern}. */
export interface DeletePatternOptions {
  /** Called after each step. What it throws rejects the call; the deletion goes on. */
  onProgress?(progress: {
    /** Keys of the namespace that were compared with the pattern so far. */
    scanned: number;
    /** Keys that were removed so far. */
    deleted: number;
  }): void;
  /** Keys of one step: 1 to 10,000. Larger steps are faster and keep Redis busy for longer at a time. @default 1_000 */
  batch?: number;
}

/** Options of {@link Cache.lock}. */
export interface LockOptions {
  /** How long the lock outlives a holder that is not heard of any more: 100 ms to 24 h. A living one keeps it. @default '10s' */
  ttl?: Duration;
  /** How long to wait for it: after that the call rejects with `E_TURBOCACHE_LOCK_TIMEOUT`. `0` = one try, `null` = no limit. @default '10s' */
  wait?: Duration | null;
  /** Ends the waiting: the call rejects with its reason. */
  signal?: AbortSignal;
}

/** A lock that is held, until it is released or lost. */
export interface Lock {
  readonly key: string;
  /** Greater than that of every lock of this key before: have what the lock protects refuse lesser ones. */
  readonly fencingToken: number;
  /** Aborted when the lock is lost; its reason is a `LockError` of code `E_TURBOCACHE_LOCK_LOST`. */
  readonly signal: AbortSignal;
  /** Gives it back; `true` when it was held until now. A second call gives the same answer. */
  release(): Promise<boolean>;
  /** For `await using`: releases. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a loader is told and may say. */
export interface LoaderContext {
  readonly key: string;
  /**
   * Aborted at `loaderDeadline`, and when the manager closes. An invalidation does not abort it: callers who joined before get
   * the result, which is stored nowhere then. Nor does a `hardTimeout`: what comes later is stored.
   */
  readonly signal: AbortSignal;
  /** The value that is to be replaced: an old one in its grace, or in a reload ahead of time the present one. `undefined`: there is none. */
  readonly stale: unknown;
  /** `true` when nobody waits for this load. */
  readonly isBackground: boolean;
  /** Sets the ttl of the entry, e.g. from the value. */
  setTtl(ttl: Ttl): void;
  /** Sets the tags of the entry, e.g. from the value. */
  setTags(tags: readonly string[]): void;
  /** The value is returned to the callers, but not stored. */
  skip(): void;
  /** Gives up: throws the reason, a text as a `TurboCacheError` with `E_TURBOCACHE_LOADER`. The same as throwing. */
  fail(reason: unknown): never;
  /**
   * The value in `stale` is still right, as a 304 says: it gets another life, without being encoded again. Return what this
   * returns. Throws when there is none.
   */
  notModified(): never;
}

/** Produces the value of a key that is not in the cache. `undefined` is returned to the caller and never cached. */
export type Loader<T> = (context: LoaderContext) => T | Promise<T>;

/**
 * Produces the values of the missing keys: a `Map` or an object by key, or an array in the order of `keys`. A key left out is
 * `undefined`. It gets no {@link LoaderContext}: ttl and tags are those of the options.
 */
export type ManyLoader<T> = (
  keys: string[],
) =>
  | Promise<Map<string, T> | Record<string, T> | readonly (T | undefined)[]>
  | Map<string, T>
  | Record<string, T>
  | readonly (T | undefined)[];

/** What Redis refuses, or what is not there of it. */
export interface RemoteWarning {
  code: TurboCacheErrorCode;
  /** A command (`eval`) or an option (`redis.cluster`): one warning stands for each. */
  about: string;
  /** What was got, what is lost by it, and what still holds. */
  message: string;
  /** What would be right. */
  expected: string;
}

/** Counters since the manager was made. */
export interface CacheStats {
  hot: { hits: number; misses: number; entries: number; bytes: number; evictions: number };
  memory: { hits: number; misses: number; entries: number; bytes: number };
  remote: {
    hits: number;
    misses: number;
    errors: number;
    /** Answers that were refused because their bytes were foreign, damaged or of another key. */
    rejected: number;
    /** Batches of reads that failed and were sent again, within a budget of one to ten calls. */
    retries: number;
    /** `none`: there is no remote tier. `down`: calls go on without it, and it is tried again in the background. */
    state: 'none' | 'connecting' | 'up' | 'down';
    /** What it lacks now, while everything else goes on: each was a `warning` event when it began. */
    warnings: readonly RemoteWarning[];
  };
  loads: {
    started: number;
    failed: number;
    refused: number;
    /** Loads that the bulkhead turned away: an old value was served instead, or the caller got an `OverloadedError`. */
    shed: number;
  };
  invalidations: {
    sent: number;
    received: number;
    /** Of those received, how many had not been heard and were read in the log. */
    replayed: number;
    /** How often something was found to be missing. */
    gaps: number;
    /** Whether Redis tells of changes by other programs: `off` when it was not asked to, `refused` when it does not. */
    tracking: 'off' | 'on' | 'refused';
    /** Keys that Redis has told of by itself, those that other processes of this cache have changed included. */
    foreign: number;
    /** Changes that Redis has missed, and that wait to be made good when it answers again. */
    missed: number;
    /** Such changes that were made good. */
    recovered: number;
    /** Changes that Redis had acknowledged and lost, e.g. by a failover; they are made good, too. */
    lost: number;
    /** How often all that was held was dropped, because nobody knew what was missing, or Redis did not answer. */
    drops: number;
  };
}

// ---------------------------------------------------------------------------------------------------------- cache

/** A cache of one namespace: what the manager, its named caches and its nested namespaces have in common. */
export interface Cache {
  /** Full path of the namespace, `''` for a manager without one. */
  readonly namespacePath: string;

  /** The value, or `undefined` for a miss. `null` is a value. A read never fails because a tier does. */
  get<T = unknown>(key: string): Promise<T | undefined>;
  /** Stores a value in every tier. `undefined` is an error, `null` is a value. Resolves when L2 has answered. */
  set<T>(key: string, value: T, options?: EntryOptions): Promise<void>;
  /** Removes the key. Resolves when no reader of this process can see the old value and L2 has dropped it. `true` when there was something to remove. */
  delete(key: string): Promise<boolean>;
  /** `true` when a fresh value exists in any tier. */
  has(key: string): Promise<boolean>;
  /** Makes the value stale at once: gone without a grace, else served only when a loader fails or is slow. `true` when there was one. */
  expire(key: string): Promise<boolean>;
  /** The value, loading and storing it on a miss. Callers of one key share one load. */
  getOrSet<T>(key: string, loader: Loader<T>, options?: EntryOptions): Promise<T>;
  /** Synchronous read of L0 and L1: the value, or `undefined`. Never asks Redis. */
  peek<T = unknown>(key: string): T | undefined;

  /** The values of many keys in their order; `undefined` for a miss. One round trip. */
  getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]>;
  /** Stores many values. One round trip. */
  setMany<T>(entries: readonly SetManyEntry<T>[]): Promise<void>;
  /** Removes many keys; the number that there were. One round trip. */
  deleteMany(keys: readonly string[]): Promise<number>;
  /** The values of many keys in their order; one call of `loadMissing`, which gets no context, for all that are missing. */
  getOrSetMany<T>(
    keys: readonly string[],
    loadMissing: ManyLoader<T>,
    options?: EntryOptions,
  ): Promise<(T | undefined)[]>;

  /** Drops every entry that carries one of the tags, or all of them (`mode`), in every tier, in one round trip. */
  invalidateTags(tags: readonly string[], options?: InvalidateTagsOptions): Promise<void>;
  /**
   * Removes every key of this namespace (not of nested ones) that matches a glob; how many there were: in Redis, or in memory
   * without it. `*` is any number of characters, `:` and `/` included, `?` is one, `[abc]`, `[a-c]` and `[^a-c]` are one of
   * a set, `\` takes the meaning from the next character. Walks over all keys of the store with SCAN: prefer tags or a
   * namespace where it is called often. A key that is written meanwhile may go or stay.
   */
  deletePattern(pattern: string, options?: DeletePatternOptions): Promise<number>;
  /** Drops every entry of this namespace and of those nested in it, without scanning. */
  clear(options?: ClearOptions): Promise<void>;
  /**
   * A lock of this name: of all processes that share the Redis server, or of the worker threads of this process without
   * one. It is kept on Rust threads while this process lives, also under a blocked event loop. Not reentrant; no substitute
   * for a transaction, see docs/guides/locks.md. Rejects with `E_TURBOCACHE_LOCK_TIMEOUT`, and over an adapter with
   * `E_TURBOCACHE_UNSUPPORTED`.
   */
  lock(key: string, options?: LockOptions): Promise<Lock>;
  /** The entry with its times, tier and tags, or `undefined`. */
  getEntry<T = unknown>(key: string): Promise<CacheEntry<T> | undefined>;

  /**
   * A named cache: a nested namespace with options of its own. The same name gives the same cache; other options for it are
   * an error, another `version` or `schema` is another cache. Without options: the one that was opened first.
   */
  cache(name: string, options?: CacheOptions): Cache;
  /** A nested namespace with this one's options. `clear` here clears it too. */
  namespace(name: string): Cache;
}

/** Events of a manager. Listeners never change what a call returns. */
export interface CacheManagerEvents {
  /** Something failed that no caller is told about; once per change of state, not per call. */
  error: [TurboCacheError];
  /** A condition the operator should know about, e.g. two managers with clashing options on one namespace. */
  warning: [TurboCacheError];
}

/** The entry point: owns the tiers, and is itself the cache of its namespace. */
export class CacheManager extends EventEmitter<CacheManagerEvents> implements Cache {
  /** Never throws because Redis is down. Throws a `ConfigurationError` for options that cannot be right. */
  constructor(options?: CacheManagerOptions);
  readonly namespacePath: string;
  get<T = unknown>(key: string): Promise<T | undefined>;
  set<T>(key: string, value: T, options?: EntryOptions): Promise<void>;
  delete(key: string): Promise<boolean>;
  has(key: string): Promise<boolean>;
  expire(key: string): Promise<boolean>;
  getOrSet<T>(key: string, loader: Loader<T>, options?: EntryOptions): Promise<T>;
  peek<T = unknown>(key: string): T | undefined;
  getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]>;
  setMany<T>(entries: readonly SetManyEntry<T>[]): Promise<void>;
  deleteMany(keys: readonly string[]): Promise<number>;
  getOrSetMany<T>(
    keys: readonly string[],
    loadMissing: ManyLoader<T>,
    options?: EntryOptions,
  ): Promise<(T | undefined)[]>;
  invalidateTags(tags: readonly string[], options?: InvalidateTagsOptions): Promise<void>;
  deletePattern(pattern: string, options?: DeletePatternOptions): Promise<number>;
  clear(options?: ClearOptions): Promise<void>;
  lock(key: string, options?: LockOptions): Promise<Lock>;
  getEntry<T = unknown>(key: string): Promise<CacheEntry<T> | undefined>;
  cache(name: string, options?: CacheOptions): Cache;
  namespace(name: string): Cache;

  /**
   * Resolves when the remote tier answers, at once without one. After `connectTimeout` it resolves all the same, or rejects
   * when `redis.required` is set.
   */
  ready(): Promise<void>;
  /** Counters of this manager's engine and of this isolate's hot tier. */
  stats(): CacheStats;
  /** Ends everything: waits for running loads and writes, then lets the process exit by itself. Idempotent. Calls after it reject with `E_TURBOCACHE_CLOSED`. */
  close(): Promise<void>;
}

// ----------------------------------------------------------------------------------------------------- interfaces

/** Encoding of values. Runs in JavaScript, once a write and once a decoded read. */
export interface ISerializer {
  /** Identifies the encoding in stored bytes: 128 to 255 for your own. Bytes written under another id are a counted miss. */
  readonly id: number;
  readonly name: string;
  serialize(value: unknown): string | Uint8Array;
  /** `bytes` is only valid during the call: copy what you keep. */
  deserialize(bytes: Uint8Array): unknown;
}

/** What a strategy decides from. */
export interface StrategyContext {
  readonly key: string;
  readonly value: unknown;
  /** The ttl that the options ask for, in milliseconds; `null` = never. */
  readonly ttl: number | null;
  /** How long the loader took, in milliseconds; `undefined` for a plain `set`. */
  readonly loadTime: number | undefined;
}

/** Decides how long an entry lives. Called once a write; `undefined` keeps the ttl of the options. */
export interface ICacheStrategy {
  ttl(context: StrategyContext): Ttl | undefined;
}

/** The call for which a decorator needs a key. */
export interface KeyContext {
  readonly className: string;
  readonly methodName: string;
  readonly args: readonly unknown[];
}

/** Makes a key from a method call. Different calls must give different keys. */
export interface IKeyGenerator {
  generate(context: KeyContext): string;
}

/** What an adapter stores under one key. */
export interface AdapterEntry {
  readonly value: Uint8Array;
  /** Remaining life in milliseconds; `null` = never expires. */
  readonly ttl: number | null;
}

/**
 * A store behind the remote tier. The engine adds coherence, timeouts, single flight and encoding: an adapter only
 * moves bytes. Expired entries must not be returned. Errors may be thrown: they count as "remote tier failed".
 */
export interface ICacheAdapter {
  readonly name: string;
  /** Entries in the order of `keys`; `undefined` for a miss. */
  getMany(keys: readonly string[]): Promise<readonly (AdapterEntry | undefined)[]>;
  setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void>;
  /** For each key, whether there was something to remove. */
  deleteMany(keys: readonly string[]): Promise<readonly boolean[]>;
  /** Ends the store's connections. Called by `CacheManager.close()`. */
  close?(): Promise<void>;
}

/** `text` such that it stands for itself in the pattern of {@link Cache.deletePattern}: `escapePattern(id) + ':*'`. */
export function escapePattern(text: string): string;

// ------------------------------------------------------------------------------------------------------- adapters

/** An adapter over a `Map`, for tests and as the smallest example of an adapter. */
export class MemoryAdapter implements ICacheAdapter {
  constructor(options?: { maxEntries?: number });
  readonly name: 'memory';
  getMany(keys: readonly string[]): Promise<readonly (AdapterEntry | undefined)[]>;
  setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void>;
  deleteMany(keys: readonly string[]): Promise<readonly boolean[]>;
}

/** Several adapters as one, nearest first: reads fill the nearer ones, writes and deletes go to all, farthest first. */
export class MultiTierAdapter implements ICacheAdapter {
  constructor(tiers: readonly ICacheAdapter[]);
  readonly name: string;
  getMany(keys: readonly string[]): Promise<readonly (AdapterEntry | undefined)[]>;
  setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void>;
  deleteMany(keys: readonly string[]): Promise<readonly boolean[]>;
  close(): Promise<void>;
}

/** The part of a Keyv (5 or 6) instance that {@link KeyvAdapter} uses. */
export interface KeyvLike {
  get(key: string[]): Promise<unknown>;
  set(key: string, value: unknown, ttl?: number): Promise<unknown>;
  delete(key: string | string[]): Promise<unknown>;
  disconnect?(): Promise<void>;
}

/** Any Keyv store as the remote tier. */
export class KeyvAdapter implements ICacheAdapter {
  constructor(keyv: KeyvLike);
  readonly name: 'keyv';
  getMany(keys: readonly string[]): Promise<readonly (AdapterEntry | undefined)[]>;
  setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void>;
  deleteMany(keys: readonly string[]): Promise<readonly boolean[]>;
  close(): Promise<void>;
}

/** The part of a Cacheable instance that {@link CacheableAdapter} uses. */
export interface CacheableLike {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttl?: number | string): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  disconnect?(): Promise<void>;
}

/** A Cacheable instance as the remote tier, layered below TurboCache's own tiers. */
export class CacheableAdapter implements ICacheAdapter {
  constructor(cacheable: CacheableLike);
  readonly name: 'cacheable';
  getMany(keys: readonly string[]): Promise<readonly (AdapterEntry | undefined)[]>;
  setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void>;
  deleteMany(keys: readonly string[]): Promise<readonly boolean[]>;
  close(): Promise<void>;
}

// --------------------------------------------------------------------------------------------------------- errors

/** Stable codes: branch on these, never on messages. `docs/errors.md` says what each one means and what to do. */
export type TurboCacheErrorCode =
  | 'E_TURBOCACHE_OPTION'
  | 'E_TURBOCACHE_ARGUMENT'
  | 'E_TURBOCACHE_DURATION'
  | 'E_TURBOCACHE_KEY_TOO_LONG'
  | 'E_TURBOCACHE_VALUE_TOO_LARGE'
  | 'E_TURBOCACHE_SERIALIZE'
  | 'E_TURBOCACHE_LOADER'
  | 'E_TURBOCACHE_MIGRATE'
  | 'E_TURBOCACHE_LOADER_TIMEOUT'
  | 'E_TURBOCACHE_RECURSIVE_LOAD'
  | 'E_TURBOCACHE_OVERLOADED'
  | 'E_TURBOCACHE_LOCK_TIMEOUT'
  | 'E_TURBOCACHE_LOCK_LOST'
  | 'E_TURBOCACHE_CLOSED'
  | 'E_TURBOCACHE_REMOTE'
  | 'E_TURBOCACHE_REFUSED'
  | 'E_TURBOCACHE_TOPOLOGY'
  | 'E_TURBOCACHE_UNSUPPORTED'
  | 'E_TURBOCACHE_CLASH'
  | 'E_TURBOCACHE_DECORATOR'
  | 'E_TURBOCACHE_PEER'
  | 'E_TURBOCACHE_NATIVE';

/** Facts about a failure, as fields instead of prose. */
export interface ErrorDetails {
  /** The option or argument the error is about, e.g. `memory.maxBytes`. */
  option?: string;
  /** What was given. Never a cached value. */
  got?: unknown;
  /** What would be right. */
  expected?: string;
  cause?: unknown;
  [field: string]: unknown;
}

/** The base of every error this package throws. */
export class TurboCacheError extends Error {
  constructor(code: TurboCacheErrorCode, message: string, details?: ErrorDetails);
  readonly code: TurboCacheErrorCode;
  readonly option: string | undefined;
  readonly got: unknown;
  readonly expected: string | undefined;
  readonly details: ErrorDetails;
}
/** An option that cannot be right: `E_TURBOCACHE_OPTION`, `E_TURBOCACHE_DURATION`, `E_TURBOCACHE_CLASH`, `E_TURBOCACHE_PEER`. */
export class ConfigurationError extends TurboCacheError {}
/** An argument that cannot be right: `E_TURBOCACHE_ARGUMENT`, `E_TURBOCACHE_DURATION`. */
export class InvalidArgumentError extends TurboCacheError {}
/** A key or a value over its limit: `E_TURBOCACHE_KEY_TOO_LONG`, `E_TURBOCACHE_VALUE_TOO_LARGE`. */
export class LimitError extends TurboCacheError {}
/** A value that the serializer refuses: `E_TURBOCACHE_SERIALIZE`. */
export class SerializationError extends TurboCacheError {}
/** The loader needed longer than `hardTimeout` and there was no old value: `E_TURBOCACHE_LOADER_TIMEOUT`. */
export class LoaderTimeoutError extends TurboCacheError {}
/** A loader asked for the key it is loading: `E_TURBOCACHE_RECURSIVE_LOAD`. */
export class RecursiveLoadError extends TurboCacheError {}
/** Too many loads of a cache at once: `E_TURBOCACHE_OVERLOADED`. */
export class OverloadedError extends TurboCacheError {}
/** A lock was not free in time, or was lost: `E_TURBOCACHE_LOCK_TIMEOUT`, `E_TURBOCACHE_LOCK_LOST`. */
export class LockError extends TurboCacheError {}
/** A call after `close()`: `E_TURBOCACHE_CLOSED`. */
export class ClosedError extends TurboCacheError {}
/** The remote tier failed; only ever in events and from `ready()`: `E_TURBOCACHE_REMOTE`. */
export class RemoteError extends TurboCacheError {}
/** A capability that is named but not there yet: `E_TURBOCACHE_UNSUPPORTED`. */
export class UnsupportedError extends TurboCacheError {}
/** A decorator that cannot work, found when the class is defined: `E_TURBOCACHE_DECORATOR`. */
export class DecoratorError extends TurboCacheError {}
/** The native binary could not be loaded: `E_TURBOCACHE_NATIVE`. */
export class NativeLoadError extends TurboCacheError {}
