/** What `forRoot`, `forRootAsync`, `forFeature` and `bindCache` were given: mistakes end the start of the application, and say what is right. */
import { inspect } from 'node:util';
import { ConfigurationError } from '../client';
import { nearestNames } from '../key/nearest';
import type { TurboCacheOptionsFactory } from './module-options';

const ASYNC_NAMES = ['useFactory', 'useClass', 'useExisting', 'inject', 'imports', 'name', 'isGlobal'];
const SOURCES = ['useFactory', 'useClass', 'useExisting'] as const;

export function checkRoot(options: unknown, place = 'TurboCacheModule.forRoot'): void {
  const { name, isGlobal } = checkObject(place, 'options', options);
  if (name !== undefined) checkName(place, name);
  if (isGlobal !== undefined && typeof isGlobal !== 'boolean') {
    throw wrongOption(place, 'isGlobal', isGlobal, 'true or false');
  }
}

export function checkRootAsync(options: unknown): void {
  const place = 'TurboCacheModule.forRootAsync';
  checkRoot(options, place);
  const given = options as Record<string, unknown>;
  // Nest itself knows `provideInjectionTokensFrom`, which nobody writes.
  checkNames(place, given, [...ASYNC_NAMES, 'provideInjectionTokensFrom'], ASYNC_NAMES);
  const sources = SOURCES.filter((source) => given[source] !== undefined);
  if (sources.length !== 1) {
    throw wrongOption(place, 'useFactory', sources, 'exactly one of useFactory, useClass and useExisting');
  }
  for (const source of ['useFactory', 'useClass'] as const) {
    const value = given[source];
    if (value !== undefined && typeof value !== 'function') {
      throw wrongOption(place, source, value, source === 'useFactory' ? 'a function that answers options' : 'a class');
    }
  }
}

/** Asks the object of `useClass` or `useExisting`. */
export function askFactory(factory: Partial<TurboCacheOptionsFactory>): unknown {
  if (typeof factory.createTurboCacheOptions === 'function') return factory.createTurboCacheOptions();
  const expected = 'a class with a method createTurboCacheOptions()';
  throw wrongOption('TurboCacheModule.forRootAsync', 'useClass', factory.constructor.name, expected);
}

/** What a manager is made from: options, wherever they come from. */
export function checkManagerOptions(options: unknown): void {
  checkObject('TurboCacheModule', 'options', options);
  checkOwnOptions(options as object, 'TurboCacheModule');
}

/** The options that are the module's own, and not the manager's. */
export function checkOwnOptions(options: { onError?: unknown; hashKeysAbove?: unknown }, place: string): void {
  const { onError, hashKeysAbove } = options;
  if (onError !== undefined && typeof onError !== 'function') {
    throw wrongOption(place, 'onError', onError, 'a function of an error and its circumstances');
  }
  // A digest and the readable beginning of a key make 115 characters: a lower limit would make keys longer.
  if (hashKeysAbove !== undefined && (typeof hashKeysAbove !== 'number' || !(hashKeysAbove >= 128))) {
    throw wrongOption(place, 'hashKeysAbove', hashKeysAbove, 'a number of bytes, 128 or more');
  }
}

export function checkFeatures(features: unknown, options: unknown): void {
  const place = 'TurboCacheModule.forFeature';
  if (!Array.isArray(features)) {
    throw wrongOption(
      place,
      'caches',
      features,
      "a list of names, or of names with options: ['users', { name: 'cities' }]",
    );
  }
  for (const feature of features as unknown[]) {
    checkName(place, typeof feature === 'string' ? feature : checkObject(place, 'caches', feature)['name']);
  }
  const given = checkObject(place, 'options', options);
  checkNames(place, given, ['manager']);
  if (given['manager'] !== undefined) checkName(place, given['manager'], 'manager');
}

export function checkBinding(instance: unknown, cache: unknown, options: unknown): void {
  const isObject = (typeof instance === 'object' && instance !== null) || typeof instance === 'function';
  if (!isObject) throw wrongOption('bindCache', 'instance', instance, 'the object whose methods are decorated');
  checkCache('bindCache', cache);
  const given = checkObject('bindCache', 'options', options);
  checkNames('bindCache', given, ['onError', 'hashKeysAbove']);
  checkOwnOptions(given, 'bindCache');
}

export function checkCache(place: string, cache: unknown): void {
  if (typeof (cache as { getOrSet?: unknown } | null | undefined)?.getOrSet === 'function') return;
  throw wrongOption(place, 'cache', cache, 'a CacheManager or one of its caches');
}

export function checkName(place: string, name: unknown, option = 'name'): void {
  if (typeof name === 'string' && name !== '') return;
  throw wrongOption(place, option, name, 'a text with at least one character');
}

export function checkObject(place: string, option: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrongOption(place, option, value, 'an object');
}

function checkNames(place: string, given: object, known: readonly string[], shown = known): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const nearest = nearestNames(name, shown);
    throw wrongOption(place, name, undefined, `one of ${(nearest.length > 0 ? nearest : shown).join(', ')}`, true);
  }
}

function wrongOption(
  place: string,
  option: string,
  got: unknown,
  expected: string,
  unknown = false,
): ConfigurationError {
  const what = unknown
    ? 'does not exist'
    : `is ${inspect(got, { depth: 1, breakLength: Infinity, maxStringLength: 60 })}`;
  return new ConfigurationError('E_TURBOCACHE_OPTION', `${place}: option "${option}" ${what}; expected ${expected}.`, {
    option,
    got,
    expected,
  });
}
