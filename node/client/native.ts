/**
 * The contract between the client and the native binding, once. `node/binding/src` is its other half: a change here is a
 * change there. Nothing in this file decides anything; it names functions, words and bits.
 *
 * Three ways cross the boundary:
 *
 * - `read` and `leaseHere`: a synchronous read of L1, and the beginning of a synchronous load, into `buffers.read`.
 * - the ring: requests are written one after another into `buffers.submit`, handed over with one `submit` a turn, and
 *   answered as completions that `drain` writes into `buffers.complete`. `onWake` is called when completions wait.
 * - the mirror: an `Int32Array` over a `SharedArrayBuffer` in which Rust keeps a coarse clock and the low 32 bits of every
 *   generation. A decoded value may be served only while the generations captured with it still stand in the mirror.
 *
 * All numbers are little-endian. Requests, completions and adapter items start at multiples of eight bytes.
 */
import type { Eviction } from '../../index';
import type { RedisPlace } from './redis-options';

export interface NativeBinding {
  /** JSON of every option with its default, in milliseconds and bytes: the only place where a default is written. */
  defaultOptions(): string;
  layout(): NativeLayout;
  /**
   * Opens (or joins, for a named namespace) an engine. Throws an `Error` whose `code` is a `TurboCacheErrorCode` and whose
   * `message` is the JSON of `{ message, option?, got?, expected? }`.
   */
  open(options: string, buffers: NativeBuffers, onWake: () => void): NativeSession;
}

/** What the binary exports: plain functions over numbered sessions. `bindSessions` makes a {@link NativeBinding} of it. */
export interface NativeFunctions {
  defaultOptions(): string;
  layout(): NativeLayout;
  /** The number of the new session. */
  open(options: string, buffers: NativeBuffers, onWake: () => void): number;
  clashes(session: number): string[];
  openNamespace(session: number, path: string, serializerId: number): number;
  namespaceIndex(session: number, namespaceId: number): number;
  read(session: number, namespaceId: number, key: string): ReadStatus;
  leaseHere(session: number, namespaceId: number, key: string): void;
  submit(session: number, requests: Uint8Array, bytes: number, count: number): number;
  drain(session: number): number;
  takeLarge(session: number, requestId: number): Uint8Array;
  adapterReply(session: number, batchId: number, items: Uint8Array | null, error: string | null): void;
  stats(session: number): string;
  close(session: number): void;
  end(session: number): void;
}

/** What `open` takes as JSON: validated, times in milliseconds, sizes in bytes. */
export interface NativeOptions {
  namespace: string | null;
  version: string | null;
  memory: { maxBytes: number; eviction: Eviction } | null;
  redis: (RedisPlace & { connectTimeout: number; commandTimeout: number; tracking: boolean }) | null;
  /** A remote tier that lives in JavaScript: its batches arrive as completions of status {@link Status.Adapter}. */
  adapter: boolean;
  compression: { threshold: number; level: number } | null;
  maxKeyBytes: number;
  maxValueBytes: number;
}

/** Memory that both sides use. JavaScript owns it and keeps it alive as long as the session. */
export interface NativeBuffers {
  /** Over a SharedArrayBuffer, `layout().mirrorLength` long. */
  mirror: Int32Array;
  /** Answer of `read`: a header of `layout().headerBytes`, tag pairs, the value. */
  read: Uint8Array;
  complete: Uint8Array;
}

export interface NativeLayout {
  mirrorLength: number;
  /** Index of the coarse clock in the mirror: milliseconds, wrapping at 32 bits. Compare with `((a - b) | 0)`. */
  clock: number;
  /** Index of the pulse in the mirror: it moves behind the clock and each generation, wrapping at 32 bits. */
  pulse: number;
  /** Length of the header of a request, a completion and the answer of `read`. */
  headerBytes: number;
  /** Longest value that is copied into `read` or `complete`; a longer one is fetched with `takeLarge`. */
  inlineBytes: number;
}

export interface NativeSession {
  /** For each option with which another manager of this process has opened the namespace otherwise: JSON of `{ message, option, got, expected }`. */
  clashes(): string[];
  /** Id of a namespace below the engine's root; `''` is the root. `/` separates levels; the client escapes names. */
  openNamespace(path: string, serializerId: number): number;
  /** Index in the mirror of the generation of a whole namespace. */
  namespaceIndex(namespaceId: number): number;
  /** Synchronous read of L1. The answer is a {@link ReadStatus}; words and bytes of the answer are in `buffers.read`, also for a miss. */
  read(namespaceId: number, key: string): ReadStatus;
  /** Takes a lease for this process alone, at once: the remote tier is neither asked nor filled. Lease and capture are in `buffers.read`. */
  leaseHere(namespaceId: number, key: string): void;
  /** Hands over `count` requests in the first `bytes` bytes of `requests`; the number of completions that already wait. */
  submit(requests: Uint8Array, bytes: number, count: number): number;
  /** Writes completions into `buffers.complete`, at most 1,024; their number. 0 = nothing waits. */
  drain(): number;
  /** The value that did not fit: of the last `read` (id 0) or of a completion (its request id). Once. */
  takeLarge(requestId: number): Uint8Array;
  /** Answers an adapter batch: result items, or the message of a failure. */
  adapterReply(batchId: number, items: Uint8Array | null, error: string | null): void;
  /** JSON of the engine's counters: `CacheStats` without `hot`. */
  stats(): string;
  /** Ends the session. When `drain` has delivered a completion with id 0 and status Done, all writes have reached L2. */
  close(): void;
  /** Forgets the session, its leases and what is still on its way. The last call. */
  end(): void;
}

export const enum ReadStatus {
  Miss = 0,
  Hit = 1,
  /** In its grace. */
  Stale = 2,
}

/** Words (Int32) of the header of a `read` answer and of a completion; both use the same places. */
export const enum Word {
  RequestId = 0,
  /** {@link Status} */
  Status = 1,
  /** {@link Flag} */
  Flags = 2,
  /**
   * Index in the mirror of the key's generation, and the generation captured before the read began. Index -1: something was
   * invalidated meanwhile; the value may be handed to those who waited for it, and kept by nobody.
   */
  Slot = 3,
  Generation = 4,
  /** Generation of the namespace, captured likewise. */
  NamespaceGeneration = 5,
  /** Milliseconds until stale (negative: stale since) and until gone; capped at 2^30, which also means "never". */
  FreshFor = 6,
  GoneIn = 7,
  /** The whole ttl, capped likewise: with `FreshFor` it tells the age. */
  Ttl = 8,
  ValueBytes = 9,
  /** Number of (mirror index, captured generation) pairs behind the header: one for each tag. */
  TagPairs = 10,
  /** Index into {@link NATIVE_ERRORS} for {@link Status.Error}; the value is then the message in UTF-8. */
  ErrorCode = 11,
  /** A float64 in words 12 and 13: the lease, 0 = none. `Lease / 2` is its index in a Float64Array. */
  Lease = 12,
  /** Bytes of tag names behind the value (each: u16 length, UTF-8), only for {@link Op.Entry}. */
  TagNameBytes = 14,
  /** How long the value's loader took, in milliseconds; 0 = nobody knows. */
  LoadTime = 15,
}

export const enum Status {
  Miss = 0,
  Hit = 1,
  /** In its grace. With a lease: this caller shall load. */
  Stale = 2,
  /** Nothing there: this caller shall load, and answer the lease with Fill or Release. */
  Load = 3,
  Done = 4,
  Error = 5,
  /** A batch for the adapter: `RequestId` is the batch id, the value holds the items. */
  Adapter = 6,
  /** The request goes on: two float64 in the value, keys looked at and values removed. */
  Progress = 7,
  /** No request waits for this: the lock with the client's number in the lease's place was lost. */
  Lost = 8,
}

export const enum Flag {
  /** The value is pure ASCII: `latin1Slice` decodes it. */
  Ascii = 1,
  /** Fetch the value with `takeLarge(requestId)`. */
  Large = 2,
  /** Done: there was something (Delete, Has, Expire), or the value was stored (Fill). */
  Yes = 4,
  /** The value came from the remote tier, not from L1. */
  Remote = 8,
  /** Pure ASCII without control characters and without a backslash: a quote in it ends or begins a string of JSON. */
  Plain = 16,
}

/**
 * A request: Int32 words 0 to 6 as below, float64 ttl at byte 32, grace at 40, lease at 48, ttl in memory at 56 (Infinity =
 * never, -1 = none of its own), then the
 * bytes of key, value and tags (each tag: u16 length, UTF-8), padded to a multiple of eight.
 */
export const enum RequestWord {
  Op = 0,
  RequestId = 1,
  NamespaceId = 2,
  KeyBytes = 3,
  ValueBytes = 4,
  TagBytes = 5,
  Flags = 6,
}
export const enum RequestFloat {
  Ttl = 4,
  Grace = 5,
  Lease = 6,
  MemoryTtl = 7,
}

export const enum Op {
  /** → Hit or Miss. A stale value is a Miss. */
  Get = 1,
  /** The ttl's place holds how long to wait for another process. → Hit, Stale (with or without a lease) or Load. With {@link RequestFlag.Refresh}: Load when this caller shall refresh ahead, else Miss. */
  Lookup = 2,
  /** → Done. */
  Set = 3,
  /** → Done, Yes when there was something. */
  Delete = 4,
  /** → Done, Yes when fresh. */
  Has = 5,
  /** → Done, Yes when there was something. */
  Expire = 6,
  /** The loader's value for a lease → Done, Yes when it was stored; then with the tag pairs for L0. */
  Fill = 7,
  /** The loader failed or has nothing to store. With a ttl: whoever has an old value takes that for so long. No completion. */
  Release = 8,
  /** The whole namespace and those nested in it → Done. */
  Clear = 9,
  /** The tags section → Done. */
  InvalidateTags = 10,
  /** Like Get, also stale, and with tag names → Hit, Stale or Miss. */
  Entry = 11,
  /**
   * The key is the pattern, the lease's place holds the keys of a step (0 = the default) → Done, with two float64 in the
   * value of which the second is the number of removed values. With {@link RequestFlag.Progress}: Progress after each step.
   */
  DeletePattern = 12,
  /**
   * The ttl's place holds the lock's life (0 = the default), the grace's how long to wait, the lease's the client's number for
   * it → Done, with the fencing token as a float64; later perhaps {@link Status.Lost}.
   */
  Lock = 13,
  /** The lease's place holds the client's number → Done, Yes when the lock was held until now. */
  Unlock = 14,
  /** The loader says that the old value of a lease is still right: it is stored for another life → as for Fill. Without tags it keeps its own. */
  Renew = 15,
}

export const enum RequestFlag {
  /** Lookup: only to reload ahead of time. */
  Refresh = 1,
  /** Release: the loader failed. */
  Failed = 2,
  /** Get: nobody keeps the value, so the answer needs no ages and no generations. */
  Unkept = 4,
  /** DeletePattern: somebody wants to know how far it is. */
  Progress = 8,
  /** Clear, InvalidateTags: what is reached becomes stale instead of being dropped. */
  Soft = 16,
  /** InvalidateTags: only what carries all of the tags is reached. */
  All = 32,
  /** Lock: wait as long as the engine's default says. */
  Defaults = 64,
}

/**
 * Items of an adapter batch: u32 kind, u32 key bytes, u32 value bytes, u32 unused, float64 ttl (Infinity = never), key,
 * value, padded to eight. Reply, an item for each: i32 yes (found or removed), u32 value bytes, float64 ttl, value, padded.
 */
export const enum AdapterItem {
  Get = 1,
  Set = 2,
  Delete = 3,
}

/** Order is part of the contract: `Word.ErrorCode` indexes it. */
export const NATIVE_ERRORS = [
  'E_TURBOCACHE_REMOTE',
  'E_TURBOCACHE_ARGUMENT',
  'E_TURBOCACHE_KEY_TOO_LONG',
  'E_TURBOCACHE_VALUE_TOO_LARGE',
  'E_TURBOCACHE_CLOSED',
  'E_TURBOCACHE_UNSUPPORTED',
  'E_TURBOCACHE_LOCK_TIMEOUT',
] as const;
