/**
 * One load of one key, from the question to the engine to the stored value, for all callers of this isolate that want it.
 *
 * asking → the engine says Hit, Stale or Load → loading → filling → ended. Callers get the value when the loader has it;
 * storing goes on behind them, and until it is done the flight can still be joined.
 */
import type { Loader } from '../../index';
import type { Answer } from './answer';
import type { Waiting } from './completions';
import { encode, type Encoded } from './codec';
import { ClosedError, TurboCacheError } from './errors';
import { fill, type Permit } from './filling';
import type { EntryFreshness, TtlRule } from './freshness';
import type { Captured } from './hot-tier';
import type { SharedLoad } from './load';
import { LoadContext } from './load-context';
import { Op, RequestFlag, Status, Word } from './native';
import { errorCodeOf, errorOf } from './native-errors';
import { errorOutcome, NOTHING, type Outcome } from './outcome';
import { endLoad, isWithinLoadOf, runLoad } from './recursion';
import { capturedIn, isDue, type Space } from './space';
import { isThenable } from './thenable';

/** What a caller asked for. */
export interface LoadRequest {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly entry: EntryFreshness;
  readonly ttlRule: TtlRule;
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
  readonly onLoading: (() => void)[] = [];

  private startLoad!: (permit: Permit | null) => void;
  private resolveOutcome!: (outcome: Outcome) => void;
  private resolveStored!: (stored: boolean) => void;
  private ended = false;
  private repaired = false;
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
        const freshFor = answer.word(Word.FreshFor);
        const due = isDue(answer.word(Word.Ttl), freshFor, this.request.entry.freshness.eagerRefresh);
        const found = this.space.receiveForMany(this.key, answer);
        if (found === undefined) return this.repair();
        if (due) refreshAhead(this.space, this.request, freshFor);
        return this.land(found, true);
      }
      case Status.Stale: {
        const { lease } = answer;
        const captured = capturedIn(answer);
        this.stale = this.space.receiveForMany(this.key, answer);
        if (lease !== 0) return this.load({ lease, captured });
        // Somebody else loads, and waiting for that is what grace is there to avoid.
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
    const ttl = this.request.entry.freshness.lockTimeout ?? Infinity;
    this.space.tiers.session.send({ op: Op.Lookup, namespaceId: this.space.id, key: this.key, flags, ttl }, this);
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
    this.loading = true;
    for (const tell of this.onLoading) tell();
    this.startLoad(permit);
  }

  private runLoader(permit: Permit | null): void {
    const { request } = this;
    const context = new LoadContext(this, request.entry.tags);
    this.context = context;
    if (this.space.tiers.closed) context.abort();

    const started = performance.now();
    runLoad(
      this.space,
      (key) => key === request.key,
      (frame) => {
        const succeed = (value: unknown): void => {
          endLoad(frame);
          this.loaded(value, permit, context, performance.now() - started);
        };
        const fail = (error: unknown): void => {
          endLoad(frame);
          this.failed(error, permit);
        };
        let result: unknown;
        try {
          result = request.loader(context);
        } catch (error) {
          return fail(error);
        }
        if (isThenable(result)) result.then(succeed, fail);
        else succeed(result);
      },
    );
  }

  private loaded(value: unknown, permit: Permit | null, context: LoadContext, loadTime: number): void {
    if (this.ended) return this.release(permit);
    if (value === undefined) {
      this.release(permit);
      this.space.backgroundLoads.recovered();
      return this.land(NOTHING, true);
    }
    const { key, entry, ttlRule } = this.request;
    let encoded: Encoded;
    let outcome: Outcome;
    try {
      encoded = encode(this.space.codec, key, value, this.space.tiers.maxValueBytes);
      outcome = this.space.receiveOwn(key, encoded);
    } catch (error) {
      return this.failed(error, permit);
    }
    this.space.backgroundLoads.recovered();
    this.tagged = context.tags.length > 0;
    if (context.skipped || permit === null) {
      this.release(permit);
      // Without a lease there is nobody to say whether the value is still good for who joined late: it is not.
      return this.land(outcome, context.skipped);
    }
    const ttl = ttlRule.decide(entry.freshness, { key, value, loadTime, chosen: context.chosenTtl });
    // The callers have it at once, and storing goes on behind them.
    this.resolveOutcome(outcome);
    const loaded = { key, outcome, encoded, tags: context.tags, ttl, grace: entry.freshness.grace };
    fill(this.space, loaded, permit, (stored) => this.land(outcome, stored));
  }

  private failed(error: unknown, permit: Permit | null): void {
    this.release(permit, RequestFlag.Failed);
    if (this.stale !== undefined || this.waiters === 0) {
      if (!this.ended && !(error instanceof ClosedError))
        this.space.backgroundLoads.failed(() => backgroundFailure(this.key, error));
    }
    this.land(this.stale ?? errorOutcome(error), false);
  }

  private release(permit: Permit | null, flags = 0): void {
    if (permit === null) return;
    const { lease } = permit;
    this.space.tiers.session.tell({ op: Op.Release, namespaceId: this.space.id, key: this.key, flags, lease });
  }

  /** The flight's only end. */
  private land(outcome: Outcome, stored: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.loading = false;
    this.resolveOutcome(outcome);
    this.resolveStored(stored);
    if (this.space.loads.get(this.key) === this) this.space.loads.delete(this.key);
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
