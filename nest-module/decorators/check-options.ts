/** Wrong names and types of options are errors when the class is defined, not surprises at the first call. */
import { inspect } from 'node:util';
import { nearestNames } from '../key/nearest';
import { decoratorError, type Place } from './site';

interface Check {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const isDuration = (value: unknown): boolean =>
  typeof value === 'number'
    ? value >= 0 && value < Infinity
    : typeof value === 'string' && /^\d+(?:\.\d+)?(?:ms|[smhd])$/.test(value);
const isFunction = (value: unknown): boolean => typeof value === 'function';
const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
const isZero = (value: unknown): boolean =>
  typeof value === 'number' ? value === 0 : /^[0.]+[a-z]/.test(String(value));

const duration: Check = { expected: "milliseconds or a text such as '30s'", accepts: isDuration };
const limit: Check = {
  expected: "milliseconds, a text such as '30s', or null",
  accepts: (value) => value === null || isDuration(value),
};
const positiveLimit: Check = {
  expected: "milliseconds above zero, a text such as '30s', or null",
  accepts: (value) => value === null || (isDuration(value) && !isZero(value)),
};
const predicate: Check = { expected: 'a function that answers true or false', accepts: isFunction };

/** `key` and `tags` are checked where they are compiled. */
export const CHECKS = {
  ttl: {
    expected: "milliseconds above zero, a text such as '5m', null for ever, or a function that answers one of these",
    accepts: (value) => value === null || isFunction(value) || (isDuration(value) && !isZero(value)),
  },
  grace: duration,
  jitter: duration,
  l1Ttl: positiveLimit,
  l2Ttl: positiveLimit,
  maxTtl: positiveLimit,
  nullTtl: positiveLimit,
  errorTtl: positiveLimit,
  graceBackoff: duration,
  loaderDeadline: positiveLimit,
  swr: { expected: 'true or false', accepts: (value) => typeof value === 'boolean' },
  earlyRefresh: {
    expected: 'a number above 0 and at most 100, or null',
    accepts: (value) => value === null || (typeof value === 'number' && value > 0 && value <= 100),
  },
  fallback: { expected: 'a value, or a function of the error', accepts: () => true },
  softTimeout: limit,
  hardTimeout: limit,
  lockTimeout: limit,
  eagerRefresh: {
    expected: 'a fraction above 0 and below 1, or null',
    accepts: (value) => value === null || (typeof value === 'number' && value > 0 && value < 1),
  },
  cache: { expected: 'the name of a cache', accepts: (value) => typeof value === 'string' && value !== '' },
  tags: {
    expected: 'a list of texts, or a function that answers one',
    accepts: (value) => isFunction(value) || isTexts(value),
  },
  condition: predicate,
  unless: predicate,
  all: { expected: 'true or false', accepts: (value) => typeof value === 'boolean' },
  when: {
    expected: "'success', 'before' or 'always'",
    accepts: (value) => ['success', 'before', 'always'].includes(value as string),
  },
  returns: {
    expected: "'promise', 'observable' or 'value'",
    accepts: (value) => ['promise', 'observable', 'value'].includes(value as string),
  },
  key: { expected: 'a key', accepts: () => true },
  varyBy: { expected: "names of context values, e.g. ['tenant']", accepts: isTexts },
  pattern: { expected: 'a text', accepts: (value) => typeof value === 'string' },
} as const satisfies Record<string, Check>;

export type OptionName = keyof typeof CHECKS;

export const FRESHNESS = [
  'ttl',
  'l1Ttl',
  'l2Ttl',
  'maxTtl',
  'nullTtl',
  'errorTtl',
  'jitter',
  'grace',
  'graceBackoff',
  'swr',
  'softTimeout',
  'hardTimeout',
  'lockTimeout',
  'loaderDeadline',
  'eagerRefresh',
  'earlyRefresh',
  'fallback',
] as const satisfies OptionName[];

export function checkOptions(options: unknown, allowed: readonly OptionName[], place: Place): void {
  checkIsObject(options, place, 'a key template or an object of options');
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!(allowed as readonly string[]).includes(name)) throw unknownOption(name, allowed, place);
    const check: Check = CHECKS[name as OptionName];
    if (!check.accepts(value)) {
      throw decoratorError(place, `${describe(value)} is not possible`, {
        option: name,
        got: value,
        expected: check.expected,
      });
    }
  }
}

/** Before anything is read from it. */
export function checkIsObject(
  options: unknown,
  place: Place,
  expected = 'an object of options',
): asserts options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  const what = options === null ? 'null' : Array.isArray(options) ? 'a list' : typeof options;
  throw decoratorError(place, `its argument is ${what}`, { got: options, expected });
}

function unknownOption(name: string, allowed: readonly string[], place: Place): Error {
  const nearest = nearestNames(name, allowed);
  return decoratorError(place, 'there is no such option', {
    option: name,
    got: name,
    expected: `one of ${(nearest.length > 0 ? nearest : allowed).join(', ')}`,
    known: allowed,
  });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  return typeof value === 'function' ? 'a function' : inspect(value, { depth: 1, breakLength: Infinity });
}
