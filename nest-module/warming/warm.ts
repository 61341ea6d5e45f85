/** `@TurboCacheWarm`: when a method is called ahead of its callers, and with which arguments. */
import { checkIsObject } from '../decorators/check-options';
import { decoratorError, type Place } from '../decorators/site';
import { methodIn, placeOf } from '../method/place';
import { requireModule } from '../peer/require-module';
import { ByClass } from '../registry/by-class';
import { milliseconds } from '../units/duration';

/** What a warmer is told. */
export interface WarmContext {
  /** `startup`, or the cron expression. */
  readonly trigger: string;
  /** Aborted when the application ends. */
  readonly signal: AbortSignal;
}

/** Arguments of each call: lists of them, or a function that answers them, at once, later, or one by one. */
export type WarmArguments =
  | readonly (readonly unknown[])[]
  | ((
      context: WarmContext,
    ) =>
      | Iterable<readonly unknown[]>
      | AsyncIterable<readonly unknown[]>
      | Promise<Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>>);

export interface TurboCacheWarmOptions {
  /** `'startup'`, a cron expression (needs `@nestjs/schedule`), or several of them. @default 'startup' */
  on?: string | readonly string[];
  /** Arguments of each call; `this` is the provider. Without them the method is called once, with a {@link WarmContext}. */
  args?: WarmArguments;
  /** At start-up: `true` = the application is not ready before this has ended, or `limit` is over. @default false */
  blocking?: boolean;
  /** Longest time for which a blocking warmer holds the start up; then it goes on in the background. @default '30s' */
  limit?: number | string;
  /** Calls at the same time. @default the module's */
  concurrency?: number;
  /** Calls a second. @default the module's */
  perSecond?: number;
  /**
   * Entries that are there: `'missing'` = they are left alone; `'all'` = they are loaded again, while callers get the old ones.
   * @default 'missing' at start-up, 'all' on cron
   */
  renew?: 'missing' | 'all';
}

export interface DeclaredWarmer {
  readonly place: Place;
  readonly key: string | symbol;
  readonly triggers: readonly string[];
  readonly options: TurboCacheWarmOptions;
  /** Milliseconds; 0 = it does not block. */
  readonly blockFor: number;
}

/** By this name the module is missed, when it is not imported. */
export const WARMING_MODULE = 'TurboCacheWarmingModule';

const declared = new ByClass<DeclaredWarmer>();
const OPTIONS = ['on', 'args', 'blocking', 'limit', 'concurrency', 'perSecond', 'renew'];

/**
 * On a method of a provider, above `@TurboCache` if that stands there: fills the cache by calling it.
 *
 *     @TurboCacheWarm({ args: [['oslo'], ['rome']] })
 *     @TurboCache({ key: 'city:#{name}', ttl: '1h' })
 *     find(name: string) { … }
 */
export function TurboCacheWarm(options: TurboCacheWarmOptions = {}): MethodDecorator {
  return (prototype, key, descriptor) => {
    const place = placeOf('@TurboCacheWarm', prototype, key);
    methodIn(descriptor, prototype, place);
    checkIsObject(options, place);
    const triggers = check(options, place);
    const { blocking = false, limit = '30s' } = options;
    const blockFor = blocking ? milliseconds(limit, 'limit', `@TurboCacheWarm on ${place.className}`) : 0;
    declared.add(prototype, { place, key, triggers, options, blockFor });
    requireModule(prototype, WARMING_MODULE);
  };
}

/** Those of the class and of the ones it extends; a method that is overridden is warmed as it is now. */
export function warmersOf(prototype: object): readonly DeclaredWarmer[] {
  return declared.of(prototype);
}

function check(options: TurboCacheWarmOptions, place: Place): readonly string[] {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw decoratorError(place, 'there is no such option', {
      option: name,
      got: name,
      expected: `one of ${OPTIONS.join(', ')}`,
      known: OPTIONS,
    });
  }
  const { on = 'startup', args, renew, blocking } = options;
  const triggers: unknown = typeof on === 'string' ? [on] : on;
  if (!Array.isArray(triggers) || triggers.length === 0 || !triggers.every(isTrigger)) {
    throw wrong(place, 'on', on, "'startup', a cron expression such as '0 * * * *', or a list of them");
  }
  if (args !== undefined && typeof args !== 'function' && !(Array.isArray(args) && args.every(Array.isArray))) {
    throw wrong(place, 'args', args, 'a list of lists of arguments, or a function that answers one');
  }
  if (renew !== undefined && !['missing', 'all'].includes(renew))
    throw wrong(place, 'renew', renew, "'missing' or 'all'");
  if (blocking !== undefined && typeof blocking !== 'boolean')
    throw wrong(place, 'blocking', blocking, 'true or false');
  for (const name of ['concurrency', 'perSecond'] as const) checkCount(options[name], name, place);
  return triggers as string[];
}

export function checkCount(value: unknown, option: string, place: Place): void {
  if (value === undefined || (typeof value === 'number' && value > 0)) return;
  throw wrong(place, option, value, 'a number above 0');
}

/** Five or six fields, as the cron library reads them; it looks closer when the application starts. */
function isTrigger(value: unknown): boolean {
  return value === 'startup' || (typeof value === 'string' && /^\S+(?:\s+\S+){4,5}$/.test(value.trim()));
}

function wrong(place: Place, option: string, got: unknown, expected: string): Error {
  return decoratorError(place, `${typeof got} is not possible`, { option, got, expected });
}
