/**
 * The checks of single options. Each returns the value in the one unit the rest of the client uses, or throws an error
 * that names the option, what was got and what would be right.
 */
import { DURATION_EXPECTED, parseDuration } from './duration';
import { ConfigurationError, InvalidArgumentError, type TurboCacheError } from './errors';
import { nearestName } from './nearest-name';
import { parseSize, SIZE_EXPECTED } from './size';

/** Where the options come from: it decides the error's class. */
export interface Place {
  /** Shown before the name of the option, e.g. `CacheManager option`. */
  readonly what: string;
  error(
    code: 'option' | 'duration',
    message: string,
    details: { option: string; got: unknown; expected: string },
  ): TurboCacheError;
}

export const CONFIGURATION: Place = {
  what: 'option',
  error: (code, message, details) =>
    new ConfigurationError(code === 'duration' ? 'E_TURBOCACHE_DURATION' : 'E_TURBOCACHE_OPTION', message, details),
};

export const ARGUMENT: Place = {
  what: 'argument',
  error: (code, message, details) =>
    new InvalidArgumentError(code === 'duration' ? 'E_TURBOCACHE_DURATION' : 'E_TURBOCACHE_ARGUMENT', message, details),
};

export function refuse(
  place: Place,
  option: string,
  got: unknown,
  expected: string,
  code: 'option' | 'duration' = 'option',
): never {
  throw place.error(code, `The ${place.what} ${option} is ${show(got)}; expected ${expected}.`, {
    option,
    got,
    expected,
  });
}

/** An options object whose names are all known. `prefix` is its own name and a dot, or `''`. */
export function checkNames<T extends object>(
  place: Place,
  prefix: string,
  input: unknown,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    refuse(place, prefix === '' ? 'options' : prefix.slice(0, -1), input, `an object with some of ${known.join(', ')}`);
  }
  for (const name of Object.keys(input)) {
    if ((known as readonly string[]).includes(name)) continue;
    const meant = nearestName(name, known);
    const expected = meant === undefined ? `one of ${known.join(', ')}` : `${prefix}${meant}`;
    const message = `Unknown ${place.what} ${prefix}${name}; ${meant === undefined ? 'expected' : 'did you mean'} ${expected}${meant === undefined ? '.' : '?'}`;
    throw place.error('option', message, { option: prefix + name, got: name, expected });
  }
  return input;
}

export function duration(place: Place, option: string, input: unknown): number {
  return (
    parseDuration(input) ?? refuse(place, option, input, `a duration of 0 or more: ${DURATION_EXPECTED}`, 'duration')
  );
}

/** A duration that cannot be zero. */
export function positiveDuration(place: Place, option: string, input: unknown): number {
  const ms = parseDuration(input);
  return ms === undefined || ms === 0
    ? refuse(place, option, input, `a duration above 0: ${DURATION_EXPECTED}`, 'duration')
    : ms;
}

/** Milliseconds; `Infinity` for `null`, which is "never". */
export function ttl(place: Place, option: string, input: unknown): number {
  if (input === null) return Infinity;
  const ms = parseDuration(input);
  if (ms === undefined || ms === 0) {
    refuse(place, option, input, `a time above 0: ${DURATION_EXPECTED}; or null for "never expires"`, 'duration');
  }
  return ms;
}

export function size(place: Place, option: string, input: unknown, least: number, most: number): number {
  const bytes = parseSize(input);
  if (bytes === undefined || bytes < least || bytes > most) {
    refuse(place, option, input, `a size of ${least} to ${most} bytes: ${SIZE_EXPECTED}`);
  }
  return bytes;
}

export function integer(place: Place, option: string, input: unknown, least: number, most: number): number {
  if (typeof input !== 'number' || !Number.isInteger(input) || input < least || input > most) {
    refuse(place, option, input, `a whole number from ${least} to ${most}`);
  }
  return input;
}

export function boolean(place: Place, option: string, input: unknown): boolean {
  return typeof input === 'boolean' ? input : refuse(place, option, input, 'true or false');
}

export function oneOf<T extends string>(place: Place, option: string, input: unknown, choices: readonly T[]): T {
  const choice = choices.find((each) => each === input);
  return choice ?? refuse(place, option, input, choices.map((each) => `'${each}'`).join(' or '));
}

/** Whether it is an object that has these methods. */
export function hasMethods(input: unknown, names: readonly string[]): boolean {
  if (typeof input !== 'object' || input === null) return false;
  return names.every((name) => typeof (input as Record<string, unknown>)[name] === 'function');
}

/** A value as an error message shows it: short, and never the content of an object. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value.length > 80 ? `'${value.slice(0, 77)}…'` : `'${value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return value.toString();
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
