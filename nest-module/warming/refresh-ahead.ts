/** `@TurboCacheRefreshAhead`: what a method is asked most is loaded again before it is old. */
import { checkIsObject } from '../decorators/check-options';
import { decoratorError, type Place } from '../decorators/site';
import { methodIn, placeOf } from '../method/place';
import { rememberRenewal, renewalOf, type Renew } from '../method/renewal';
import { type Method, standInFor } from '../method/wrap';
import { requireModule } from '../peer/require-module';
import { bindingOf } from '../registry/binding';
import { ByClass } from '../registry/by-class';
import type { CacheRegistry } from '../registry/cache-registry';
import { milliseconds } from '../units/duration';
import type { SeenCall } from './hot-keys';
import { checkCount, WARMING_MODULE } from './warm';

export interface PredictOptions {
  /** How long before the hour begins its usual entries are loaded. @default '5m' */
  lead?: number | string;
  /** Calls in that hour from which on an entry is usual, see {@link AccessHistory}. @default 10 */
  minimum?: number;
}

export interface TurboCacheRefreshAheadOptions {
  /** So many of the most asked entries are kept fresh. @default 100 */
  keys?: number;
  /** Fraction of the ttl after which an entry is loaded again. @default 0.75 */
  ahead?: number;
  /** How often it is looked. Shorter than the last part of the ttl, or entries grow old in between. @default '10s' */
  every?: number | string;
  /** One call of so many is counted. A power of two. @default 16 */
  sample?: number;
  /** Loads what the same hour brought on the days before; `false`: does not. @default false */
  predict?: PredictOptions | boolean;
}

export interface DeclaredRefresh {
  readonly place: Place;
  readonly key: string | symbol;
  readonly keys: number;
  readonly ahead: number;
  readonly every: number;
  readonly sample: number;
  readonly predict: { readonly lead: number; readonly minimum: number } | undefined;
  readonly renew: Renew;
  /** By application: who counts its calls. */
  readonly sinks: WeakMap<CacheRegistry, (call: SeenCall) => void>;
}

const declared = new ByClass<DeclaredRefresh>();
const OPTIONS = ['keys', 'ahead', 'every', 'sample', 'predict'];

/** On a method, directly above its `@TurboCache`. Costs each call one addition; counting is done elsewhere, later. */
export function TurboCacheRefreshAhead(options: TurboCacheRefreshAheadOptions = {}): MethodDecorator {
  return (prototype, key, descriptor) => {
    const place = placeOf('@TurboCacheRefreshAhead', prototype, key);
    const method = methodIn(descriptor, prototype, place);
    checkIsObject(options, place);
    const renew = renewalOf(method);
    if (renew === undefined) {
      throw decoratorError(place, 'it does not stand directly above @TurboCache', {
        expected: '@TurboCacheRefreshAhead, then @TurboCache, then the method',
      });
    }
    const refresh = { place, key, renew, sinks: new WeakMap(), ...check(options, place) };
    const counting = standInFor(method, sampled(method, refresh));
    rememberRenewal(counting, renew);
    (descriptor as PropertyDescriptor).value = counting;
    declared.add(prototype, refresh);
    requireModule(prototype, WARMING_MODULE);
  };
}

export function refreshesOf(prototype: object): readonly DeclaredRefresh[] {
  return declared.of(prototype);
}

function sampled(method: Method, { sample, sinks }: Pick<DeclaredRefresh, 'sample' | 'sinks'>): Method {
  const mask = sample - 1;
  let calls = 0;
  return function (...args) {
    calls = (calls + 1) & mask;
    if (calls === 0) {
      const registry = bindingOf(this)?.registry;
      if (registry !== undefined) sinks.get(registry)?.({ instance: this, args });
    }
    return method.apply(this, args);
  };
}

type Checked = Pick<DeclaredRefresh, 'keys' | 'ahead' | 'every' | 'sample' | 'predict'>;

function check(options: TurboCacheRefreshAheadOptions, place: Place): Checked {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw decoratorError(place, 'there is no such option', {
      option: name,
      got: name,
      expected: `one of ${OPTIONS.join(', ')}`,
      known: OPTIONS,
    });
  }
  const { keys = 100, ahead = 0.75, every = '10s', sample = 16, predict = false } = options;
  const where = `@TurboCacheRefreshAhead on ${place.className}.${place.methodName}`;
  checkCount(keys, 'keys', place);
  if (!(typeof ahead === 'number' && ahead > 0 && ahead < 1))
    throw wrong(place, 'ahead', ahead, 'a fraction above 0 and below 1');
  if (!Number.isInteger(Math.log2(sample)) || sample < 1 || sample > 65_536) {
    throw wrong(place, 'sample', sample, 'a power of two from 1 to 65,536');
  }
  const period = milliseconds(every, 'every', where);
  if (period === 0) throw wrong(place, 'every', every, 'more than 0 ms');
  if (predict === false) return { keys, ahead, every: period, sample, predict: undefined };
  const { lead = '5m', minimum = 10 } = predict === true ? {} : predict;
  checkCount(minimum, 'predict.minimum', place);
  return {
    keys,
    ahead,
    every: period,
    sample,
    predict: { lead: milliseconds(lead, 'predict.lead', where), minimum },
  };
}

function wrong(place: Place, option: string, got: unknown, expected: string): Error {
  return decoratorError(place, `${String(got)} is not possible`, { option, got, expected });
}
