/**
 * One load of one key, from the question to the engine to the stored value, for all callers of this isolate that want it.
 *
 * asking → the engine says Hit, Stale or Load → loading → filling → ended. Callers get the value when the loader has it;
 * storing goes on behind them, and until it is done the flight can still be joined.
 */
import { isDue, aheadOf } from './ahead';
import type { Answer } from './answer';
import { queuesForItself } from './bulk-load';
import type { Waiting } from './completions';
import { byteLength, encode, type Encoded } from './codec';
import { ClosedError, OverloadedError, TurboCacheError } from './errors';
import { fill, type Permit } from './filling';
import { memoryTtlOf, tagsOf } from './freshness';
import { NEVER, type Captured } from './hot-tier';
import type { SharedLoad } from './load';
import { LoadContext } from './load-context';
import type { LoadRequest } from './load-request';
import { runLoader } from './loader-run';
import { Op, RequestFlag, Status, Word } from './native';
import { errorCodeOf, errorOf } from './native-errors';
import { errorOutcome, NOTHING, type Outcome } from './outcome';
import { isWithinLoadOf } from './recursion';
import { agesOf, capturedIn, type Space } from './space';

/** What a load brings: a new value, or without one the old value for another life. */
interface Harvest {
  readonly outcome: Outcome;
  readonly encoded: Encoded | undefined;
  readonly bytes: number;
  /** As the ttl is decided from. */
  readonly value: unknown;
  readonly tags: readonly string[];
  readonly loadTime: number;
}

/** Waits for an answer that changes nothing. */
const NOBODY: Waiting = { settle: () => undefined, abandon: () => undefined };

export class Flight implements SharedLoad, Waiting {
  readonly key: string;
  readonly outcome: Promise<Outcome>;
  readonly stored: Promise<boolean>;
  waiters = 0;
  loading = false;
  tagged = false;
  stale: Outcome | undefined;
  brought: Outcome | undefined;
  readonly onLoading: (() => void)[] = [];

  private startLoad!: (permit: Permit | null) => void;
  private resolveOutcome!: (outcome: Outcome) => void;
  private resolveStored!: (stored: boolean) => void;
  private ended = false;
  private repaired = false;
  private staleBytes = 0;
  private context: LoadContext | undefined;

  constructor(
    private readonly space: Space,
    private readonly request: LoadRequest,
    /** Of the read of L1 that missed; what later callers may join by (law 2). `null` = a reload ahead of time. */
    private readonly joinedBy: Captured | null,
  ) {
    this.key = request.key;
    this.outcome = new Promise((resolve) => (this.resolveOutcome = resolve));
    this.stored = new Promise((resolve) => (this.resolveStored = resolve));
    // A continuation of the caller, not of the drain: the loader finds the caller's `AsyncLocalStorage` stores.
    void new Promise<Permit | null>((resolve) => (this.startLoad = resolve)).then((permit) => this.runLoader(permit));
    space.tiers.loads.add(this);
    if (joinedBy === null) space.reloads.set(this.key, this);
    this.ask();
  }

  get isJoinable(): boolean {
    const { mirror } = this.space.tiers.session;
    if (this.joinedBy === null) return false;
    const { slot, generation, namespaceGeneration } = this.joinedBy;
    return (
      Atomics.load(mirror, slot) === generation &&
      Atomics.load(mirror, this.space.hot.generationIndex) === namespaceGeneration
    );
  }

  takeStale(): unknown {
    return this.stale?.take();
  }

  abort(): void {
    this.context?.abort();
  }

  /** The answer to the question. */
  settle(answer: Answer): void {
    switch (answer.status) {
      case Status.Hit: {
        const ages = agesOf(answer);
        const found = this.space.receiveForMany(this.key, answer);
        if (found === undefined) return this.repair();
        const ahead = aheadOf(this.request.entry.freshness);
        if (ahead !== null && isDue(ahead, ages, this.space.tiers.random))
          refreshAhead(this.space, this.request, ages.freshFor);
        return this.land(found, true);
      }
      case Status.Stale: {
        const { lease } = answer;
        const captured = capturedIn(answer);
        this.staleBytes = answer.word(Word.ValueBytes);
        this.stale = this.space.receiveForMany(this.key, answer);
        if (lease !== 0) return this.load({ lease, captured });
        // Somebody else loads, or the loader failed a moment ago: waiting is what grace is there to avoid.
        return this.stale === undefined ? this.repair() : this.land(this.stale, true);
      }
      case Status.Load:
        return this.load({ lease: answer.lease, captured: capturedIn(answer) });
      case Status.Error:
        return this.refused(answer);
      default:
        // A reload ahead of time that somebody else does, or that is not needed any more.
        return this.land(NOTHING, true);
    }
  }

  abandon(error: TurboCacheError): void {
    this.land(errorOutcome(error), false);
  }

  private ask(): void {
    const flags = this.joinedBy === null ? RequestFlag.Refresh : 0;
    const { freshness } = this.request.entry;
    const [ttl, memoryTtl] = [freshness.lockTimeout ?? Infinity, memoryTtlOf(freshness)];
    const request = { op: Op.Lookup, namespaceId: this.space.id, key: this.key, flags, ttl, memoryTtl } as const;
    this.space.tiers.session.send(request, this);
  }

  /** Bytes that cannot be decoded are dropped, and asked for once more; if they come again, nothing is stored. */
  private repair(): void {
    if (this.repaired) return this.load(null);
    this.repaired = true;
    this.space.tiers.session.send({ op: Op.Delete, namespaceId: this.space.id, key: this.key }, NOBODY);
    this.ask();
  }

  /** A failure of the cache is not the caller's: the value is loaded, and not stored (law 9). */
  private refused(answer: Answer): void {
    if (errorCodeOf(answer) !== 'E_TURBOCACHE_REMOTE') return this.land(errorOutcome(errorOf(answer)), false);
    this.space.tiers.watch?.failed(answer.value().toString());
    return this.load(null);
  }

  /** `null` = load, but store nothing. */
  private load(permit: Permit | null): void {
    const { bulkhead } = this.space;
    if (bulkhead === null || queuesForItself(this.request.loader)) return this.begin(() => this.startLoad(permit));
    const shed = this.joinedBy === null ? NOTHING : this.stale;
    if (bulkhead.isFull && shed !== undefined) {
      this.space.tiers.shed++;
      this.release(permit);
      return this.land(shed, true);
    }
    this.begin(() => {
      if (bulkhead.enter(() => this.startLoad(permit))) return;
      this.space.tiers.shed++;
      this.release(permit);
      this.land(errorOutcome(bulkhead.error(`Key '${this.key}'`)), false);
    });
  }

  /** The limits of those who wait count from here, also while the loader waits for its turn. */
  private begin(start: () => void): void {
    this.loading = true;
    for (const tell of this.onLoading) tell();
    start();
  }

  private runLoader(permit: Permit | null): void {
    const { bulkhead } = this.space;
    const leave = (): void => {
      if (bulkhead !== null && !queuesForItself(this.request.loader)) bulkhead.leave();
    };
    if (this.ended) {
      this.release(permit);
      return leave();
    }
    const context = new LoadContext(this);
    this.context = context;
    if (this.space.tiers.closed) context.abort();
    runLoader(this.space, this.requestFor(permit), context, {
      loaded: (value, loadTime) => {
        leave();
        this.loaded(value, permit, context, loadTime);
      },
      failed: (error) => {
        leave();
        this.failed(error, permit);
      },
    });
  }

  /** Only what is stored is taken over from the version before: nobody says of the rest whether it was changed meanwhile. */
  private requestFor(permit: Permit | null): LoadRequest {
    const { loader, entry, migration } = this.request;
    if (migration === undefined || permit === null) return this.request;
    return { ...this.request, loader: migration.before(loader, entry) };
  }

  private loaded(value: unknown, permit: Permit | null, context: LoadContext, loadTime: number): void {
    if (this.ended) return this.release(permit);
    if (value === undefined && !context.unchanged) {
      this.release(permit);
      this.succeeded();
      return this.land(NOTHING, true);
    }
    let harvest: Harvest;
    try {
      harvest = context.unchanged ? this.kept(context, loadTime) : this.reaped(value, context, loadTime);
    } catch (error) {
      return this.failed(error, permit);
    }
    this.succeeded();
    this.brought = harvest.outcome;
    this.tagged = harvest.tags.length > 0;
    if (!context.skipped && permit !== null) return this.store(harvest, permit, context.chosenTtl);
    this.release(permit);
    // Without a lease there is nobody to say whether the value is still good for who joined late: it is not.
    this.land(harvest.outcome, context.skipped);
  }

  /** A new value. Throws what cannot be encoded, and what the user's tags throw. */
  private reaped(value: unknown, { chosenTags }: LoadContext, loadTime: number): Harvest {
    const { key, space } = this;
    const encoded = encode(space.codec, key, value, space.tiers.maxValueBytes);
    const outcome = space.receiveOwn(key, encoded);
    const tags = chosenTags ?? tagsOf(this.request.entry.tags, value);
    return { outcome, encoded, bytes: byteLength(encoded), value, tags, loadTime };
  }

  /** The old value. Without tags it keeps those that it has. */
  private kept({ chosenTags }: LoadContext, loadTime: number): Harvest {
    const value = this.takeStale();
    const tags = chosenTags ?? tagsOf(this.request.entry.tags, value);
    return { outcome: this.stale ?? NOTHING, encoded: undefined, bytes: this.staleBytes, value, tags, loadTime };
  }

  private store(harvest: Harvest, permit: Permit, chosen: number | undefined): void {
    const { key, space } = this;
    const { freshness } = this.request.entry;
    const { value, loadTime, outcome } = harvest;
    const lives = this.request.ttlRule.decide(freshness, { key, value, loadTime, chosen });
    // The callers have it at once, and storing goes on behind them.
    this.resolveOutcome(outcome);
    fill(space, { key, ...harvest, ...lives, grace: freshness.grace }, permit, (stored) => this.land(outcome, stored));
  }

  private succeeded(): void {
    this.space.failures.forget(this.key);
    this.space.backgroundLoads.recovered();
  }

  private failed(error: unknown, permit: Permit | null): void {
    const { freshness } = this.request.entry;
    this.release(permit, RequestFlag.Failed, this.stale === undefined ? 0 : freshness.graceBackoff);
    const isCaches = error instanceof ClosedError || error instanceof OverloadedError;
    if (!this.ended && !isCaches) this.remember(error, permit);
    this.land(this.stale ?? errorOutcome(error), false);
  }

  /** For those who ask soon, and for the operator, if no caller is told. */
  private remember(error: unknown, permit: Permit | null): void {
    const { space, key } = this;
    const { errorTtl } = this.request.entry.freshness;
    if (this.stale === undefined && errorTtl !== null && permit !== null) {
      const until = (space.tiers.hot.now() + Math.min(errorTtl, NEVER)) | 0;
      space.failures.remember(key, error, until, permit.captured);
    }
    if (this.stale !== undefined || this.waiters === 0)
      space.backgroundLoads.failed(() => backgroundFailure(key, error));
  }

  /** `backoff`: how long nobody shall try again who has an old value. */
  private release(permit: Permit | null, flags = 0, backoff = 0): void {
    if (permit === null) return;
    const { lease } = permit;
    this.space.tiers.session.tell({
      op: Op.Release,
      namespaceId: this.space.id,
      key: this.key,
      flags,
      lease,
      ttl: backoff,
    });
  }

  /** The flight's only end. */
  private land(outcome: Outcome, stored: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.loading = false;
    this.resolveOutcome(outcome);
    this.resolveStored(stored);
    const running = this.joinedBy === null ? this.space.reloads : this.space.loads;
    if (running.get(this.key) === this) running.delete(this.key);
    this.space.tiers.land(this);
  }
}

/** Starts a reload ahead of time, once an entry. Nobody waits for it, and no caller is told how it ends. */
export function refreshAhead(space: Space, request: LoadRequest, freshFor: number): void {
  const freshUntil = (space.tiers.hot.now() + freshFor) | 0;
  if (isWithinLoadOf(space, request.key) || !space.claimRefresh(request.key, freshUntil)) return;
  new Flight(space, request, null);
}

function backgroundFailure(key: string, cause: unknown): TurboCacheError {
  const message = `The loader of key '${key}' failed and nobody was told, because an older value was served.`;
  return new TurboCacheError('E_TURBOCACHE_LOADER', message, { key, cause });
}
