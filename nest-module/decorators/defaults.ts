/** `@TurboCacheDefaults`: options that all cache decorators of a class share. */
import type { FreshnessOptions } from '../client';
import { placeOf } from '../method/place';
import { checkOptions, FRESHNESS } from './check-options';
import type { TurboCacheDefaultsOptions } from './options';
import { decoratorError } from './site';

const defaults = new WeakMap<object, TurboCacheDefaultsOptions>();

/** Options for every cache decorator of the class and of those that extend it. A decorator's own options win. */
export function TurboCacheDefaults(options: TurboCacheDefaultsOptions): ClassDecorator {
  return (type: unknown) => {
    const place = placeOf('@TurboCacheDefaults', type as object, '*');
    if (typeof type !== 'function')
      throw decoratorError(place, 'it does not stand on a class', { expected: 'a class' });
    checkOptions(options, ['cache', 'varyBy', ...FRESHNESS], place);
    defaults.set(type.prototype as object, { ...options });
  };
}

/** The defaults of a class, those of the classes it extends included, the nearest first. */
export function defaultsOf(type: { prototype: unknown }): TurboCacheDefaultsOptions {
  let level = type.prototype as object | null;
  let merged: TurboCacheDefaultsOptions = {};
  while (level !== null) {
    const here = defaults.get(level);
    // An answer that depends on the tenant does so in classes that extend this one, too.
    const varyBy = [...(here?.varyBy ?? []), ...(merged.varyBy ?? [])];
    merged = { ...here, ...merged, ...(varyBy.length === 0 ? {} : { varyBy }) };
    level = Object.getPrototypeOf(level) as object | null;
  }
  return merged;
}

/** Those of `options` that say how long a value lives, and that were given. */
export function freshnessOf(options: object): FreshnessOptions {
  const given = options as Record<string, unknown>;
  return Object.fromEntries(FRESHNESS.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]));
}
