/**
 * How long values live: reading the options of that, and the order in which they count: call > cache > manager.
 * The manager's own defaults come from the engine, which is the only place where they are written.
 */
import type { EntryOptions, FreshnessOptions } from '../../index';
import { ARGUMENT, boolean, checkNames, duration, positiveDuration, refuse, ttl as checkTtl } from './option-check';
import type { Place } from './option-check';
import { checkTags } from './tags';

/** {@link FreshnessOptions} in milliseconds; a ttl of `Infinity` never ends. */
export interface Freshness {
  readonly ttl: number;
  readonly l1Ttl: number | null;
  readonly l2Ttl: number | null;
  readonly maxTtl: number | null;
  readonly nullTtl: number | null;
  readonly errorTtl: number | null;
  readonly jitter: number;
  readonly grace: number;
  readonly graceBackoff: number;
  readonly swr: boolean;
  readonly softTimeout: number | null;
  readonly hardTimeout: number | null;
  readonly lockTimeout: number | null;
  readonly loaderDeadline: number | null;
  readonly eagerRefresh: number | null;
  readonly earlyRefresh: number | null;
  /** A value, or a function of the error; `undefined` = none. */
  readonly fallback: unknown;
}

export const FRESHNESS_NAMES = [
  'ttl', 'l1Ttl', 'l2Ttl', 'maxTtl', 'nullTtl', 'errorTtl', 'jitter', 'grace', 'graceBackoff', 'swr',
  'softTimeout', 'hardTimeout', 'lockTimeout', 'loaderDeadline', 'eagerRefresh', 'earlyRefresh', 'fallback',
] as const satisfies readonly (keyof Freshness)[]; // prettier-ignore
const ENTRY_NAMES = [...FRESHNESS_NAMES, 'tags'] as const;

/** Tags, or what makes them from the value. */
export type Tags = readonly string[] | ((value: unknown) => readonly string[]);

/** What one call asks for, resolved against its cache. */
export interface EntryFreshness {
  readonly freshness: Freshness;
  readonly tags: Tags;
}

const NO_TAGS: readonly string[] = [];

/** `base` with what `input` says instead. */
export function overrideFreshness(place: Place, base: Freshness, input: FreshnessOptions): Freshness {
  const given = <T>(name: keyof Freshness, check: (place: Place, option: string, input: unknown) => T): T => {
    const value: unknown = input[name];
    return value === undefined ? (base[name] as T) : check(place, name, value);
  };
  return {
    ttl: given('ttl', checkTtl),
    l1Ttl: given('l1Ttl', positiveLimit),
    l2Ttl: given('l2Ttl', positiveLimit),
    maxTtl: given('maxTtl', positiveLimit),
    nullTtl: given('nullTtl', positiveLimit),
    errorTtl: given('errorTtl', positiveLimit),
    jitter: given('jitter', duration),
    grace: given('grace', duration),
    graceBackoff: given('graceBackoff', duration),
    swr: given('swr', boolean),
    softTimeout: given('softTimeout', limit),
    hardTimeout: given('hardTimeout', limit),
    lockTimeout: given('lockTimeout', limit),
    loaderDeadline: given('loaderDeadline', positiveLimit),
    eagerRefresh: given('eagerRefresh', fraction),
    earlyRefresh: given('earlyRefresh', strength),
    fallback: input.fallback === undefined ? base.fallback : input.fallback,
  };
}

/** The options of a call. Throws an `InvalidArgumentError`. */
export function resolveEntryOptions(base: Freshness, input: EntryOptions | undefined): EntryFreshness {
  if (input === undefined) return { freshness: base, tags: NO_TAGS };
  const known = checkNames<EntryOptions>(ARGUMENT, 'options.', input, ENTRY_NAMES);
  return { freshness: overrideFreshness(ARGUMENT, base, known), tags: resolveTags(known.tags) };
}

function resolveTags(tags: EntryOptions['tags']): Tags {
  if (tags === undefined) return NO_TAGS;
  return typeof tags === 'function' ? tags : checkTags('options.tags', tags);
}

/** The tags of a value. Throws what the user's function throws, or an `InvalidArgumentError`. */
export function tagsOf(tags: Tags, value: unknown): readonly string[] {
  return typeof tags === 'function' ? checkTags('options.tags()', tags(value)) : tags;
}

/** How long what another process has stored is served from here before L2 is asked again; -1 = as long as it says. */
export function memoryTtlOf({ ttl, l1Ttl, l2Ttl }: Freshness): number {
  return l1Ttl ?? (l2Ttl === null ? -1 : ttl);
}

function limit(place: Place, option: string, input: unknown): number | null {
  return input === null ? null : duration(place, option, input);
}

function positiveLimit(place: Place, option: string, input: unknown): number | null {
  return input === null ? null : positiveDuration(place, option, input);
}

function fraction(place: Place, option: string, input: unknown): number | null {
  if (input === null) return null;
  if (typeof input !== 'number' || !(input > 0 && input < 1)) {
    refuse(place, option, input, 'a fraction of the ttl above 0 and below 1, e.g. 0.8, or null for "off"');
  }
  return input;
}

function strength(place: Place, option: string, input: unknown): number | null {
  if (input === null) return null;
  if (typeof input !== 'number' || !(input > 0 && input <= 100)) {
    refuse(place, option, input, 'a number above 0 and at most 100, e.g. 1, or null for "off"');
  }
  return input;
}
