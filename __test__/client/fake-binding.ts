/**
 * An engine in TypeScript that keeps the contract of `node/client/native.ts`, with a clock that stands still, and with
 * hooks that force schedules: completions that are held back, invalidations from outside, damaged and large values.
 *
 * Long because it is one engine: tiers, leases, ring and words act on the same state, and tests read it as one story.
 */
import {
  AdapterItem,
  Flag,
  NATIVE_ERRORS,
  Op,
  ReadStatus,
  RequestFlag,
  RequestFloat,
  RequestWord,
  Status,
  Word,
  type NativeBinding,
  type NativeBuffers,
  type NativeOptions,
  type NativeSession,
} from '../../node/client/native';
import type { Defaults } from '../../node/client/options';

const HEADER = 64;
const INLINE = 32 << 10;
const NEVER = 2 ** 30;
const PULSE = 31;
const FIRST_SLOT = 32;
const SLOTS = 4_096;

export const DEFAULTS: Defaults = {
  ttl: 300_000,
  grace: 0,
  softTimeout: null,
  hardTimeout: null,
  lockTimeout: 10_000,
  eagerRefresh: null,
  jitter: 0,
  l1Ttl: null,
  l2Ttl: null,
  maxTtl: null,
  nullTtl: null,
  errorTtl: null,
  graceBackoff: 0,
  swr: false,
  loaderDeadline: 60_000,
  earlyRefresh: null,
  memory: { maxBytes: 64 << 20, eviction: 's3-fifo' },
  hot: { maxEntries: 10_000, maxBytes: 32 << 20, reads: 'copy' },
  redis: {
    connectTimeout: 1_000,
    commandTimeout: 500,
    tracking: true,
    required: false,
    sentinel: { database: 0, tls: false },
  },
  compression: { threshold: 1_024, level: 1 },
  bulkhead: { maxConcurrent: null, maxQueued: 1_000 },
  serializer: 'json',
  maxKeyBytes: 1_024,
  maxValueBytes: 16 << 20,
};

interface Pair {
  readonly index: number;
  readonly generation: number;
}

interface Entry {
  value: Buffer;
  readonly namespaceId: number;
  readonly tags: readonly string[];
  pairs: readonly Pair[];
  namespaceGeneration: number;
  freshUntil: number;
  readonly goneAt: number;
  readonly ttl: number;
  loadTime: number;
}

interface Lease {
  readonly id: number;
  readonly generation: number;
  readonly namespaceGeneration: number;
  readonly tagClock: number;
  readonly began: number;
  readonly waiting: Request[];
}

export interface Request {
  readonly op: Op;
  readonly id: number;
  readonly namespaceId: number;
  readonly key: string;
  readonly value: Buffer;
  readonly tags: readonly string[];
  readonly flags: number;
  readonly refresh: boolean;
  readonly ttl: number;
  readonly grace: number;
  readonly lease: number;
  /** -1: none of its own. */
  readonly memoryTtl: number;
}

interface Completion {
  readonly request: Request | undefined;
  readonly id: number;
  readonly status: Status;
  readonly flags?: number;
  readonly entry?: Entry | undefined;
  readonly value?: Buffer;
  readonly withTagNames?: boolean;
  readonly lease?: number;
  readonly errorCode?: number;
  readonly pairs?: readonly Pair[];
}

export class FakeEngine implements NativeBinding {
  /** Milliseconds; advance it with {@link advance}. */
  now = 1_000;
  /** Every request, in order. */
  readonly requests: Request[] = [];
  /** Calls of `submit`. */
  submits = 0;
  reads = 0;
  closed = false;
  state: 'none' | 'connecting' | 'up' | 'down' = 'none';
  opened: NativeOptions | undefined;
  readonly remote = new Map<string, Entry>();
  /** Whether the completion of a request is held back until {@link release}. */
  hold: (request: Request) => boolean = () => false;
  /** Whether a fill is refused, as by a store whose lease somebody has revoked. */
  refuse: (request: Request) => boolean = () => false;
  /** What `open` throws. */
  refuseToOpen: Error | undefined;
  /** Answers requests with this error. */
  fail: ((request: Request) => (typeof NATIVE_ERRORS)[number] | undefined) | undefined;
  answersClose = true;
  /** What `submit` throws. */
  breakSubmit: Error | undefined;
  adapterReplies: { batchId: number; items: Uint8Array | null; error: string | null }[] = [];
  onAdapterReply: (() => void) | undefined;

  private readonly memory = new Map<string, Entry>();
  private readonly leases = new Map<string, Lease>();
  readonly locks = new Set<number>();
  private readonly backoffs = new Map<string, { until: number; generation: number }>();
  private readonly namespaces: string[] = [];
  private readonly held: Completion[] = [];
  private readonly queue: Completion[] = [];
  private readonly large = new Map<number, Uint8Array>();
  private leaseIds = 0;
  private tagClock = 0;
  private readonly tagInvalidatedAt = new Map<string, number>();
  private mirror: Int32Array = new Int32Array(0);
  private buffers!: NativeBuffers;
  private onWake: () => void = () => undefined;

  defaultOptions(): string {
    return JSON.stringify(DEFAULTS);
  }

  layout() {
    return { mirrorLength: FIRST_SLOT + SLOTS, clock: 0, pulse: PULSE, headerBytes: HEADER, inlineBytes: INLINE };
  }

  open(options: string, buffers: NativeBuffers, onWake: () => void): NativeSession {
    if (this.refuseToOpen) throw this.refuseToOpen;
    this.opened = JSON.parse(options) as NativeOptions;
    if (this.opened.redis !== null || this.opened.adapter) this.state = 'up';
    this.buffers = buffers;
    this.mirror = buffers.mirror;
    this.onWake = onWake;
    Atomics.store(this.mirror, 0, this.now);
    return {
      openNamespace: (path) => {
        const known = this.namespaces.indexOf(path);
        return known === -1 ? this.namespaces.push(path) - 1 : known;
      },
      namespaceIndex: (id) => 1 + id,
      read: (namespaceId, key) => this.read(namespaceId, key),
      leaseHere: (namespaceId, key) => {
        const request = { namespaceId, key } as Request;
        const lease = this.lease(namespaceId, key);
        this.writeAnswer(this.buffers.read, 0, { request, id: 0, status: Status.Load, lease });
      },
      submit: (requests, bytes, count) => this.submit(requests, bytes, count),
      drain: () => this.drain(),
      takeLarge: (id) => {
        const value = this.large.get(id);
        if (value === undefined) throw new Error(`no large value ${id}`);
        this.large.delete(id);
        return value;
      },
      adapterReply: (batchId, items, error) => {
        this.adapterReplies.push({ batchId, items, error });
        this.onAdapterReply?.();
      },
      stats: () => this.stats(),
      clashes: () => [],
      end: () => {
        this.closed = true;
      },
      close: () => {
        this.closed = true;
        if (this.answersClose) this.complete({ request: undefined, id: 0, status: Status.Done });
      },
    };
  }

  // ------------------------------------------------------------------------------------------------------- hooks

  advance(ms: number): void {
    this.now += ms;
    Atomics.store(this.mirror, 0, this.now | 0);
    Atomics.add(this.mirror, PULSE, 1);
  }

  private bump(index: number): void {
    Atomics.add(this.mirror, index, 1);
    Atomics.add(this.mirror, PULSE, 1);
  }

  /** An invalidation from outside: another thread, another process. */
  invalidate(key: string, path = ''): void {
    this.remove(this.namespaces.indexOf(path), key);
  }

  invalidateTag(tag: string): void {
    this.tagInvalidatedAt.set(tag, ++this.tagClock);
    this.bump(slotOf(`tag ${tag}`));
  }

  /** Delivers what was held back, and holds nothing any more. */
  release(): void {
    this.hold = () => false;
    this.queue.push(...this.held.splice(0));
    if (this.queue.length > 0) this.onWake();
  }

  get heldRequests(): readonly (Request | undefined)[] {
    return this.held.map(({ request }) => request);
  }

  /** Overwrites the bytes that are stored. */
  damage(key: string, bytes: Buffer, path = ''): void {
    const entry = this.memory.get(this.id(this.namespaces.indexOf(path), key));
    if (entry === undefined) throw new Error(`nothing stored under ${key}`);
    entry.value = bytes;
  }

  /** Forgets L1's copy without an invalidation, as an eviction does. */
  evict(key: string, path = ''): void {
    this.memory.delete(this.id(this.namespaces.indexOf(path), key));
  }

  has(key: string, path = ''): boolean {
    return this.memory.has(this.id(this.namespaces.indexOf(path), key));
  }

  /** What another process has stored in the remote tier. */
  putRemote(key: string, value: unknown, { ttl = 60_000, tags = [] as string[], path = '' } = {}): void {
    const namespaceId = Math.max(0, this.namespaces.indexOf(path));
    const bytes = Buffer.from(JSON.stringify(value));
    this.remote.set(this.id(namespaceId, key), this.entry(namespaceId, bytes, tags, ttl, 0));
  }

  sendAdapterBatch(
    batchId: number,
    items: readonly { kind: AdapterItem; key: string; value?: Buffer; ttl?: number }[],
  ): void {
    const parts = items.map(({ kind, key, value = Buffer.alloc(0), ttl = Infinity }) => {
      const keyBytes = Buffer.byteLength(key);
      const bytes = Buffer.alloc((24 + keyBytes + value.length + 7) & ~7);
      bytes.writeUInt32LE(kind, 0);
      bytes.writeUInt32LE(keyBytes, 4);
      bytes.writeUInt32LE(value.length, 8);
      bytes.writeDoubleLE(ttl, 16);
      bytes.write(key, 24);
      value.copy(bytes, 24 + keyBytes);
      return bytes;
    });
    this.complete({ request: undefined, id: batchId, status: Status.Adapter, value: Buffer.concat(parts) });
    this.onWake();
  }

  requestsOf(op: Op): readonly Request[] {
    return this.requests.filter((request) => request.op === op);
  }

  // ------------------------------------------------------------------------------------------------------ engine

  private read(namespaceId: number, key: string): ReadStatus {
    this.reads++;
    const entry = this.current(namespaceId, key);
    this.writeAnswer(this.buffers.read, 0, {
      request: { namespaceId, key } as Request,
      id: 0,
      status: entry === undefined ? Status.Miss : Status.Hit,
      entry,
    });
    if (entry === undefined) return ReadStatus.Miss;
    return entry.freshUntil > this.now ? ReadStatus.Hit : ReadStatus.Stale;
  }

  private submit(bytes: Uint8Array, length: number, count: number): number {
    if (this.breakSubmit) throw this.breakSubmit;
    this.submits++;
    const buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, length);
    let at = 0;
    for (let n = 0; n < count; n++) {
      const word = (w: RequestWord): number => buffer.readInt32LE(at + 4 * w);
      const float = (f: RequestFloat): number => buffer.readDoubleLE(at + 8 * f);
      const keyAt = at + HEADER;
      const valueAt = keyAt + word(RequestWord.KeyBytes);
      const tagsAt = valueAt + word(RequestWord.ValueBytes);
      const end = tagsAt + word(RequestWord.TagBytes);
      const request: Request = {
        op: word(RequestWord.Op),
        id: word(RequestWord.RequestId),
        namespaceId: word(RequestWord.NamespaceId),
        key: buffer.toString('utf8', keyAt, valueAt),
        value: Buffer.from(buffer.subarray(valueAt, tagsAt)),
        tags: readTags(buffer, tagsAt, end),
        flags: word(RequestWord.Flags),
        refresh: (word(RequestWord.Flags) & RequestFlag.Refresh) !== 0,
        ttl: float(RequestFloat.Ttl),
        grace: float(RequestFloat.Grace),
        lease: float(RequestFloat.Lease),
        memoryTtl: float(RequestFloat.MemoryTtl),
      };
      at = (end + 7) & ~7;
      this.requests.push(request);
      this.execute(request);
    }
    if (at !== length) throw new Error(`${length} bytes handed over, ${at} needed`);
    return this.queue.length;
  }

  private execute(request: Request): void {
    const { op, id, namespaceId, key } = request;
    const done = (yes: boolean, more: Partial<Completion> = {}): void =>
      this.complete({ request, id, status: Status.Done, flags: yes ? Flag.Yes : 0, ...more });

    const code = this.fail?.(request);
    if (code !== undefined) {
      return this.complete({
        request,
        id,
        status: Status.Error,
        errorCode: NATIVE_ERRORS.indexOf(code),
        value: Buffer.from('told to fail'),
      });
    }
    switch (op) {
      case Op.Get: {
        const { entry, remote } = this.find(namespaceId, key);
        const fresh = entry !== undefined && entry.freshUntil > this.now;
        return this.complete({
          request,
          id,
          status: fresh ? Status.Hit : Status.Miss,
          entry: fresh ? entry : undefined,
          flags: remote,
        });
      }
      case Op.Entry: {
        const { entry, remote } = this.find(namespaceId, key);
        const status = entry === undefined ? Status.Miss : entry.freshUntil > this.now ? Status.Hit : Status.Stale;
        return this.complete({ request, id, status, entry, flags: remote, withTagNames: true });
      }
      case Op.Lookup:
        return this.lookup(request);
      case Op.Set:
        this.remove(namespaceId, key);
        this.store(request);
        return done(true);
      case Op.Delete:
        return done(this.remove(namespaceId, key));
      case Op.Has: {
        const { entry } = this.find(namespaceId, key);
        return done(entry !== undefined && entry.freshUntil > this.now);
      }
      case Op.Expire: {
        const entry = this.current(namespaceId, key);
        this.remove(namespaceId, key);
        if (entry === undefined) return done(false);
        if (entry.goneAt > entry.freshUntil) {
          entry.freshUntil = this.now - 1;
          this.memory.set(this.id(namespaceId, key), entry);
        }
        return done(true);
      }
      case Op.Fill:
        return this.fill(request, done);
      case Op.Renew: {
        const old = this.memory.get(this.id(namespaceId, key));
        if (old === undefined) throw new Error(`nothing to renew under ${key}`);
        const tags = request.tags.length > 0 ? request.tags : old.tags;
        return this.fill({ ...request, value: old.value, tags }, done);
      }
      case Op.Release:
        if (request.flags & RequestFlag.Failed && request.ttl > 0 && request.ttl < Infinity) {
          const until = this.now + request.ttl;
          this.backoffs.set(this.id(namespaceId, key), { until, generation: this.generation(namespaceId, key) });
        }
        return this.endLease(request);
      case Op.Clear: {
        const path = this.namespaces[namespaceId]!;
        for (const [index, other] of this.namespaces.entries()) {
          if (path !== '' && other !== path && !other.startsWith(`${path}/`)) continue;
          const bump = () => this.bump(1 + index);
          if (request.flags & RequestFlag.Soft) this.reach(({ namespaceId }) => namespaceId === index, true, bump);
          else bump();
        }
        return done(true);
      }
      case Op.Lock:
        return this.lock(request);
      case Op.Unlock:
        return done(this.locks.delete(request.lease));
      case Op.DeletePattern:
        return this.deletePattern(request);
      case Op.InvalidateTags: {
        const { tags, flags } = request;
        const carries = (entry: Entry): boolean =>
          flags & RequestFlag.All
            ? tags.every((tag) => entry.tags.includes(tag))
            : tags.some((tag) => entry.tags.includes(tag));
        this.reach(carries, (flags & RequestFlag.Soft) !== 0, () => {
          for (const tag of tags) this.invalidateTag(tag);
        });
        return done(true);
      }
    }
  }

  /** Drops these entries, or leaves them their grace; the others outlive the bump, as an engine judges each by itself. */
  private reach(which: (entry: Entry) => boolean, soft: boolean, bump: () => void): void {
    for (const [id, entry] of this.memory) {
      const isCurrent = this.current(entry.namespaceId, id.slice(id.indexOf(' ') + 1)) !== undefined;
      if (!isCurrent || (which(entry) && !(soft && entry.goneAt > entry.freshUntil))) this.memory.delete(id);
      else if (which(entry)) entry.freshUntil = Math.min(entry.freshUntil, this.now);
    }
    bump();
    for (const entry of this.memory.values()) {
      entry.pairs = this.pairs(entry.tags);
      entry.namespaceGeneration = Atomics.load(this.mirror, 1 + entry.namespaceId);
    }
  }

  /** Whoever asks has the lock. */
  private lock(request: Request): void {
    this.locks.add(request.lease);
    const value = Buffer.from(new Float64Array([this.locks.size]).buffer);
    this.complete({ request, id: request.id, status: Status.Done, value });
  }

  /** Takes the lock with this number away. */
  loseLock(number: number): void {
    this.locks.delete(number);
    this.complete({ request: undefined, id: 0, status: Status.Lost, lease: number });
    this.onWake();
  }

  /** Only `*` at the end is understood: what a pattern means is tested with the engine. */
  private deletePattern(request: Request): void {
    const { id, namespaceId, key: pattern } = request;
    const start = this.id(namespaceId, pattern.replace(/\*$/, ''));
    // What is being loaded is refused, too.
    const names = [...new Set([...this.memory.keys(), ...this.leases.keys()])].filter((name) => name.startsWith(start));
    const deleted = names.filter((name) => this.memory.has(name)).length;
    const numbers = (deleted: number): Buffer => Buffer.from(new Float64Array([this.memory.size, deleted]).buffer);
    this.complete({ request, id, status: Status.Progress, value: numbers(0) });
    for (const name of names) {
      this.memory.delete(name);
      this.bump(slotOf(name));
    }
    this.complete({ request, id, status: Status.Done, value: numbers(deleted) });
  }

  private lookup(request: Request): void {
    const { id, namespaceId, key } = request;
    const name = this.id(namespaceId, key);
    const { entry } = this.find(namespaceId, key);
    const fresh = entry !== undefined && entry.freshUntil > this.now;
    const running = this.leases.get(name);
    const stands =
      running !== undefined &&
      running.generation === this.generation(namespaceId, key) &&
      running.namespaceGeneration === Atomics.load(this.mirror, 1 + namespaceId);
    if (request.refresh) {
      if (stands) return this.complete({ request, id, status: Status.Miss });
      const status = entry === undefined ? Status.Load : Status.Stale;
      return this.complete({ request, id, status, entry, lease: this.lease(namespaceId, key) });
    }
    if (fresh) return this.complete({ request, id, status: Status.Hit, entry });
    if (entry !== undefined) {
      return this.complete({
        request,
        id,
        status: Status.Stale,
        entry,
        lease: stands || this.backsOff(namespaceId, key) ? 0 : this.lease(namespaceId, key),
      });
    }
    if (stands) running.waiting.push(request);
    else this.complete({ request, id, status: Status.Load, lease: this.lease(namespaceId, key) });
  }

  private backsOff(namespaceId: number, key: string): boolean {
    const backoff = this.backoffs.get(this.id(namespaceId, key));
    return (
      backoff !== undefined && backoff.until > this.now && backoff.generation === this.generation(namespaceId, key)
    );
  }

  private lease(namespaceId: number, key: string): number {
    const lease: Lease = {
      id: ++this.leaseIds,
      generation: this.generation(namespaceId, key),
      namespaceGeneration: Atomics.load(this.mirror, 1 + namespaceId),
      tagClock: this.tagClock,
      began: this.now,
      waiting: [],
    };
    this.leases.set(this.id(namespaceId, key), lease);
    return lease.id;
  }

  private fill(request: Request, done: (yes: boolean, more?: Partial<Completion>) => void): void {
    const { namespaceId, key, tags } = request;
    const lease = this.leases.get(this.id(namespaceId, key));
    const good =
      !this.refuse(request) &&
      lease?.id === request.lease &&
      lease.generation === this.generation(namespaceId, key) &&
      lease.namespaceGeneration === Atomics.load(this.mirror, 1 + namespaceId) &&
      tags.every((tag) => (this.tagInvalidatedAt.get(tag) ?? 0) <= lease.tagClock);
    if (good) this.store(request, this.now - lease.began);
    done(good, good ? { pairs: this.pairs(tags) } : {});
    this.endLease(request);
  }

  private endLease(request: Request): void {
    const name = this.id(request.namespaceId, request.key);
    const lease = this.leases.get(name);
    if (lease?.id !== request.lease) return;
    this.leases.delete(name);
    for (const waiting of lease.waiting) this.lookup(waiting);
    if (this.queue.length > 0) setImmediate(() => this.onWake());
  }

  private store(request: Request, loadTime = 0): void {
    const { namespaceId, key, value, tags, ttl, memoryTtl, grace } = request;
    if (this.opened?.memory !== null)
      this.memory.set(this.id(namespaceId, key), {
        ...this.entry(namespaceId, value, tags, memoryTtl < 0 ? ttl : memoryTtl, grace),
        loadTime,
      });
  }

  private entry(namespaceId: number, value: Buffer, tags: readonly string[], ttl: number, grace: number): Entry {
    return {
      value,
      namespaceId,
      tags,
      pairs: this.pairs(tags),
      namespaceGeneration: Atomics.load(this.mirror, 1 + namespaceId),
      freshUntil: this.now + ttl,
      goneAt: this.now + ttl + grace,
      ttl,
      loadTime: 0,
    };
  }

  private find(namespaceId: number, key: string): { entry: Entry | undefined; remote: number } {
    const entry = this.current(namespaceId, key);
    if (entry !== undefined) return { entry, remote: 0 };
    const remote = this.remote.get(this.id(namespaceId, key));
    if (remote === undefined) return { entry: undefined, remote: 0 };
    this.memory.set(this.id(namespaceId, key), remote);
    return { entry: remote, remote: Flag.Remote };
  }

  private current(namespaceId: number, key: string): Entry | undefined {
    const entry = this.memory.get(this.id(namespaceId, key));
    if (entry === undefined || entry.goneAt <= this.now) return undefined;
    if (entry.namespaceGeneration !== Atomics.load(this.mirror, 1 + namespaceId)) return undefined;
    return entry.pairs.every(({ index, generation }) => Atomics.load(this.mirror, index) === generation)
      ? entry
      : undefined;
  }

  private remove(namespaceId: number, key: string): boolean {
    const found = this.current(namespaceId, key) !== undefined || this.remote.has(this.id(namespaceId, key));
    this.bump(slotOf(this.id(namespaceId, key)));
    this.memory.delete(this.id(namespaceId, key));
    this.remote.delete(this.id(namespaceId, key));
    return found;
  }

  private pairs(tags: readonly string[]): Pair[] {
    return tags.map((tag) => {
      const index = slotOf(`tag ${tag}`);
      return { index, generation: Atomics.load(this.mirror, index) };
    });
  }

  private id(namespaceId: number, key: string): string {
    return `${namespaceId} ${key}`;
  }

  private generation(namespaceId: number, key: string): number {
    return Atomics.load(this.mirror, slotOf(this.id(namespaceId, key)));
  }

  // ------------------------------------------------------------------------------------------------- completions

  private complete(completion: Completion): void {
    if (completion.request && this.hold(completion.request)) this.held.push(completion);
    else this.queue.push(completion);
  }

  private drain(): number {
    let at = 0;
    let count = 0;
    while (this.queue.length > 0 && count < 1_024 && at + 2 * INLINE < this.buffers.complete.length) {
      at += this.writeAnswer(this.buffers.complete, at, this.queue.shift()!);
      count++;
    }
    return count;
  }

  private writeAnswer(target: Uint8Array, at: number, completion: Completion): number {
    const { request, id, status, entry, withTagNames = false, lease = 0, errorCode = 0 } = completion;
    const bytes = Buffer.from(target.buffer as ArrayBuffer, target.byteOffset + at, target.length - at);
    const value = completion.value ?? entry?.value ?? Buffer.alloc(0);
    const pairs = completion.pairs ?? entry?.pairs ?? [];
    const names = withTagNames ? writeTags(entry?.tags ?? []) : Buffer.alloc(0);
    const isLarge = value.length > INLINE;
    const cap = (ms: number): number => Math.max(-NEVER, Math.min(NEVER, ms));

    bytes.fill(0, 0, HEADER);
    const word = (index: Word, number: number): unknown => bytes.writeInt32LE(number, 4 * index);
    const isAscii = value.every((byte) => byte < 128);
    const isPlain = isAscii && value.every((byte) => byte >= 0x20 && byte !== 0x5c);
    const letters = (isAscii ? Flag.Ascii : 0) | (isPlain ? Flag.Plain : 0);
    word(Word.RequestId, id);
    word(Word.Status, status);
    word(Word.Flags, (completion.flags ?? 0) | letters | (isLarge ? Flag.Large : 0));
    if (request) {
      word(Word.Slot, slotOf(this.id(request.namespaceId, request.key)));
      word(Word.Generation, this.generation(request.namespaceId, request.key));
      word(Word.NamespaceGeneration, Atomics.load(this.mirror, 1 + request.namespaceId));
    }
    if (entry) {
      word(Word.FreshFor, cap(entry.freshUntil - this.now));
      word(Word.GoneIn, cap(entry.goneAt - this.now));
      word(Word.Ttl, cap(entry.ttl));
      word(Word.LoadTime, entry.loadTime);
    }
    word(Word.ValueBytes, value.length);
    word(Word.TagPairs, pairs.length);
    word(Word.ErrorCode, errorCode);
    word(Word.TagNameBytes, names.length);
    bytes.writeDoubleLE(lease, 8 * (Word.Lease / 2));

    let end = HEADER;
    for (const { index, generation } of pairs) {
      bytes.writeInt32LE(index, end);
      bytes.writeInt32LE(generation, end + 4);
      end += 8;
    }
    if (isLarge) this.large.set(id, new Uint8Array(value));
    else end += value.copy(bytes, end);
    end += names.copy(bytes, end);
    return (end + 7) & ~7;
  }

  private stats(): string {
    const { state } = this;
    return JSON.stringify({
      memory: { hits: 0, misses: 0, entries: this.memory.size, bytes: 0 },
      remote: { hits: 0, misses: 0, errors: 0, rejected: 0, retries: 0, state, warnings: [] },
      loads: { started: this.leaseIds, failed: 0, refused: 0 },
      invalidations: {
        sent: 0,
        received: 0,
        replayed: 0,
        gaps: 0,
        tracking: 'off',
        foreign: 0,
        missed: 0,
        recovered: 0,
        lost: 0,
        drops: 0,
      },
    });
  }
}

function slotOf(name: string): number {
  let hash = 2_166_136_261;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 16_777_619);
  return FIRST_SLOT + ((hash >>> 0) % SLOTS);
}

function readTags(bytes: Buffer, from: number, to: number): string[] {
  const tags: string[] = [];
  for (let at = from; at < to;) {
    const length = bytes.readUInt16LE(at);
    tags.push(bytes.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return tags;
}

function writeTags(tags: readonly string[]): Buffer {
  return Buffer.concat(
    tags.map((tag) => {
      const bytes = Buffer.alloc(2 + Buffer.byteLength(tag));
      bytes.writeUInt16LE(bytes.length - 2, 0);
      bytes.write(tag, 2);
      return bytes;
    }),
  );
}
