/** What `getOrSet` does when the hot tier has no answer: L1, then a load to join or to begin; and reloads ahead of time. */
import type * as Public from '../../index';
import { aheadOf, isDue, type Ages, type Ahead } from './ahead';
import type { Answer } from './answer';
import { RecursiveLoadError } from './errors';
import { takeOr } from './fallback';
import { Flight, refreshAhead } from './flight';
import type { EntryFreshness } from './freshness';
import type { Captured, HotNode } from './hot-tier';
import type { SharedLoad } from './load';
import { loadNow } from './load-now';
import type { LoadRequest } from './load-request';
import type { Migration } from './migration';
import { ReadStatus } from './native';
import { errorOutcome, type Outcome } from './outcome';
import { isWithinLoadOf } from './recursion';
import { agesOf, capturedIn, type Space } from './space';
import type { TtlRule } from './ttl-rule';
import { waitFor } from './wait';

export class Loading {
  constructor(
    private readonly space: Space,
    private readonly ttlRule: TtlRule,
    private readonly migration: Migration | undefined,
    /** Throws when no more loads may begin. */
    private readonly checkOpen: () => void,
  ) {}

  /** `key` and `loader` are checked. */
  getOrLoad(key: string, loader: Public.Loader<unknown>, entry: EntryFreshness): Promise<unknown> {
    const { space } = this;
    const { answer } = space.tiers.session;
    let status = space.readMemory(key);
    if (status === ReadStatus.Hit) {
      const value = this.receive(key, loader, entry, answer);
      if (value !== undefined) return Promise.resolve(value);
      // Damaged: the engine is asked, and the flight repairs it.
      status = space.readMemory(key);
    }
    const captured = capturedIn(answer);
    if (isWithinLoadOf(space, key)) throw recursion(key);
    const { swr, fallback } = entry.freshness;

    if (status === ReadStatus.Stale && swr) {
      const stale = space.receive(key, answer);
      this.join(key, loader, entry, captured);
      if (stale !== undefined) return Promise.resolve(stale);
    } else if (status === ReadStatus.Miss) {
      const failure = space.failures.find(key, space.tiers.hot.now(), captured);
      if (failure !== undefined) return Promise.resolve(takeOr(space, key, errorOutcome(failure.error), fallback));
    }

    const { load, joined } = this.join(key, loader, entry, captured);
    const outcome = waitFor(load, entry.freshness, space.tiers.remoteLimit);
    const settled = joined ? outcome.then((found) => this.orAnew(load, found, key, loader, entry)) : outcome;
    return fallback === undefined ? settled.then(take) : settled.then((found) => takeOr(space, key, found, fallback));
  }

  /** A load in the middle of a synchronous call. */
  loadNow(key: string, loader: Public.Loader<unknown>, entry: EntryFreshness): unknown {
    if (isWithinLoadOf(this.space, key)) throw recursion(key);
    return loadNow(this.space, this.request(key, loader, entry));
  }

  /** A hit of L0 that may be due for a reload ahead of time. */
  lookAhead(ahead: Ahead, node: HotNode, request: () => LoadRequest): void {
    const { hot, random } = this.space.tiers;
    const freshFor = hot.freshFor(node);
    if (isDue(ahead, { ttl: node.ttl, freshFor, loadTime: node.loadTime }, random)) {
      refreshAhead(this.space, request(), freshFor);
    }
  }

  request(key: string, loader: Public.Loader<unknown>, entry: EntryFreshness): LoadRequest {
    return { key, loader, entry, ttlRule: this.ttlRule, migration: this.migration };
  }

  /** A hit of L1; `undefined` when its bytes are damaged. */
  private receive(key: string, loader: Public.Loader<unknown>, entry: EntryFreshness, answer: Answer): unknown {
    const ahead = aheadOf(entry.freshness);
    const ages: Ages | null = ahead === null ? null : agesOf(answer);
    const value = this.space.receive(key, answer);
    if (value !== undefined && ahead !== null && ages !== null && isDue(ahead, ages, this.space.tiers.random)) {
      refreshAhead(this.space, this.request(key, loader, entry), ages.freshFor);
    }
    return value;
  }

  /** The load that runs, if a call that begins now may have its value; else a new one. */
  private join(
    key: string,
    loader: Public.Loader<unknown>,
    entry: EntryFreshness,
    captured: Captured,
  ): { load: SharedLoad; joined: boolean } {
    const running = this.space.loads.get(key);
    if (running?.isJoinable === true) return { load: running, joined: true };
    const load = new Flight(this.space, this.request(key, loader, entry), captured);
    this.space.loads.set(key, load);
    return { load, joined: false };
  }

  /**
   * A caller who joined a load may know of an invalidation that the load does not: of a tag, whose generations are known when
   * the value is stored; of another process, whose message is still on its way. Then the value is not stored, and the caller
   * begins anew; the next load began behind its call, whatever becomes of it.
   */
  private async orAnew(
    load: SharedLoad,
    outcome: Outcome,
    key: string,
    loader: Public.Loader<unknown>,
    entry: EntryFreshness,
  ): Promise<Outcome> {
    if (!load.tagged && !this.space.tiers.hasRemote) return outcome;
    if (outcome !== load.brought || (await load.stored)) return outcome;
    this.checkOpen();
    this.space.readMemory(key);
    const captured = capturedIn(this.space.tiers.session.answer);
    const next = this.space.loads.get(key) ?? this.join(key, loader, entry, captured).load;
    return waitFor(next, entry.freshness, this.space.tiers.remoteLimit);
  }
}

function take(outcome: Outcome): unknown {
  return outcome.take();
}

function recursion(key: string): RecursiveLoadError {
  const message = `The loader of key '${key}' asked for the same key, and would wait for itself for ever; expected a loader that reads its source.`;
  return new RecursiveLoadError('E_TURBOCACHE_RECURSIVE_LOAD', message, { key });
}
