/** How long a value lives, decided when it is written: from the options, from the value, from the strategy, by chance. */
import type { ICacheStrategy, Ttl } from '../../index';
import type { TurboCacheError } from './errors';
import { InvalidArgumentError } from './errors';
import type { Freshness } from './freshness';
import { ARGUMENT, ttl as checkTtl } from './option-check';

/** What is known about a write when its ttl is decided. */
export interface TtlQuestion {
  readonly key: string;
  readonly value: unknown;
  readonly loadTime: number | undefined;
  /** What the loader asked for by `setTtl`: it knows the value best, so no strategy is asked. */
  readonly chosen: number | undefined;
}

/** Milliseconds, at least one; `Infinity` for "never". */
export interface Lives {
  /** In L2. */
  readonly ttl: number;
  /** In L0 and L1. */
  readonly memoryTtl: number;
}

/** Decides ttls; time's randomness and the reporting of a broken strategy come in from outside. */
export class TtlRule {
  constructor(
    private readonly strategy: ICacheStrategy | undefined,
    private readonly random: () => number,
    private readonly report: (error: TurboCacheError) => void,
  ) {}

  decide(freshness: Freshness, question: TtlQuestion): Lives {
    const { nullTtl, l1Ttl, l2Ttl, maxTtl } = freshness;
    const ofNull = question.value === null ? nullTtl : null;
    const ofOptions = ofNull ?? freshness.ttl;
    const decided = question.chosen ?? this.ask(ofOptions, question) ?? ofNull;
    const ttl = decided ?? ofOptions;
    // What was decided from the value is the longest that any tier may keep it; otherwise each tier has its own.
    const inTier = (own: number | null): number =>
      own === null ? ttl : decided === null ? own : Math.min(own, decided);
    const shorter = freshness.jitter === 0 ? 0 : this.random() * freshness.jitter;
    return { ttl: limited(inTier(l2Ttl), maxTtl, shorter), memoryTtl: limited(inTier(l1Ttl), maxTtl, shorter) };
  }

  /** `null`: it has no opinion. */
  private ask(ttl: number, { key, value, loadTime }: TtlQuestion): number | null {
    if (this.strategy === undefined) return null;
    let answer: Ttl | undefined;
    try {
      answer = this.strategy.ttl({ key, value, ttl: ttl === Infinity ? null : ttl, loadTime });
      return answer === undefined ? null : checkTtl(ARGUMENT, 'strategy.ttl()', answer);
    } catch (cause) {
      // The value is good, only its ttl is not known: failing the caller's write or load would help nobody.
      const message = `The strategy gave no ttl; the ttl of the options is used.`;
      const details = { option: 'strategy', expected: 'a ttl or undefined', cause };
      this.report(new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, details));
      return null;
    }
  }
}

function limited(ttl: number, maxTtl: number | null, shorter: number): number {
  const most = maxTtl === null ? ttl : Math.min(ttl, maxTtl);
  return most === Infinity || shorter === 0 ? most : Math.max(1, Math.round(most - shorter));
}
