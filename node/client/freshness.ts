/**
 * How long values live: reading the options of that, and the order in which they count: call > cache > manager.
 * The manager's own defaults come from the engine, which is the only place where they are written.
 */
import type { EntryOptions, FreshnessOptions, ICacheStrategy, Ttl } from '../../index';
import type { TurboCacheError } from './errors';
import { InvalidArgumentError } from './errors';
import { ARGUMENT, checkNames, duration, refuse, ttl as checkTtl, type Place } from './option-check';
import { checkTags } from './tags';

/** {@link FreshnessOptions} in milliseconds; a ttl of `Infinity` never ends. */
export interface Freshness {
  readonly ttl: number;
  readonly grace: number;
  readonly softTimeout: number | null;
  readonly hardTimeout: number | null;
  readonly lockTimeout: number | null;
  readonly eagerRefresh: number | null;
  readonly jitter: number;
}

export const FRESHNESS_NAMES = [
  'ttl',
  'grace',
  'softTimeout',
  'hardTimeout',
  'lockTimeout',
  'eagerRefresh',
  'jitter',
] as const;
const ENTRY_NAMES = [...FRESHNESS_NAMES, 'tags'] as const;

/** What one call asks for, resolved against its cache. */
export interface EntryFreshness {
  readonly freshness: Freshness;
  readonly tags: readonly string[];
}

const NO_TAGS: readonly string[] = [];

/** `base` with what `input` says instead. */
export function overrideFreshness(place: Place, base: Freshness, input: FreshnessOptions): Freshness {
  const { ttl, grace, softTimeout, hardTimeout, lockTimeout, eagerRefresh, jitter } = input;
  return {
    ttl: ttl === undefined ? base.ttl : checkTtl(place, 'ttl', ttl),
    grace: grace === undefined ? base.grace : duration(place, 'grace', grace),
    softTimeout: softTimeout === undefined ? base.softTimeout : limit(place, 'softTimeout', softTimeout),
    hardTimeout: hardTimeout === undefined ? base.hardTimeout : limit(place, 'hardTimeout', hardTimeout),
    lockTimeout: lockTimeout === undefined ? base.lockTimeout : limit(place, 'lockTimeout', lockTimeout),
    eagerRefresh: eagerRefresh === undefined ? base.eagerRefresh : fraction(place, 'eagerRefresh', eagerRefresh),
    jitter: jitter === undefined ? base.jitter : duration(place, 'jitter', jitter),
  };
}

/** The options of a call. Throws an `InvalidArgumentError`. */
export function resolveEntryOptions(base: Freshness, input: EntryOptions | undefined): EntryFreshness {
  if (input === undefined) return { freshness: base, tags: NO_TAGS };
  const known = checkNames<EntryOptions>(ARGUMENT, 'options.', input, ENTRY_NAMES);
  return {
    freshness: overrideFreshness(ARGUMENT, base, known),
    tags: known.tags === undefined ? NO_TAGS : checkTags('options.tags', known.tags),
  };
}

/** What is known about a write when its ttl is decided. */
export interface TtlQuestion {
  readonly key: string;
  readonly value: unknown;
  readonly loadTime: number | undefined;
  /** What the loader asked for by `setTtl`: it knows the value best, so no strategy is asked. */
  readonly chosen: number | undefined;
}

/** Decides ttls; time's randomness and the reporting of a broken strategy come in from outside. */
export class TtlRule {
  constructor(
    private readonly strategy: ICacheStrategy | undefined,
    private readonly random: () => number,
    private readonly report: (error: TurboCacheError) => void,
  ) {}

  /** Milliseconds, at least one; `Infinity` for "never". */
  decide(freshness: Freshness, question: TtlQuestion): number {
    const ttl = question.chosen ?? this.ask(freshness.ttl, question);
    if (ttl === Infinity || freshness.jitter === 0) return ttl;
    return Math.max(1, Math.round(ttl - this.random() * freshness.jitter));
  }

  private ask(ttl: number, { key, value, loadTime }: TtlQuestion): number {
    if (this.strategy === undefined) return ttl;
    let answer: Ttl | undefined;
    try {
      answer = this.strategy.ttl({ key, value, ttl: ttl === Infinity ? null : ttl, loadTime });
      return answer === undefined ? ttl : checkTtl(ARGUMENT, 'strategy.ttl()', answer);
    } catch (cause) {
      // The value is good, only its ttl is not known: failing the caller's write or load would help nobody.
      const message = `The strategy gave no ttl; the ttl of the options is used.`;
      this.report(
        new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, {
          option: 'strategy',
          expected: 'a ttl or undefined',
          cause,
        }),
      );
      return ttl;
    }
  }
}

function limit(place: Place, option: string, input: unknown): number | null {
  return input === null ? null : duration(place, option, input);
}

function fraction(place: Place, option: string, input: unknown): number | null {
  if (input === null) return null;
  if (typeof input !== 'number' || !(input > 0 && input < 1)) {
    refuse(place, option, input, 'a fraction of the ttl above 0 and below 1, e.g. 0.8, or null for "off"');
  }
  return input;
}
