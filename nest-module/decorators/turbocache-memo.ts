/** `@TurboCacheMemo`: once a request, whatever the cache says. */
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { currentContext } from '../context/context';
import { isInTransaction } from '../eviction/transaction';
import type { Memo } from '../context/memo';
import type { KeySource } from '../key/key-source';
import { parametersOf } from '../key/parameters';
import { MethodCall, type ResultContext } from '../method/call';
import type { DecoratorFor } from '../method/decorate';
import { methodIn, placeOf } from '../method/place';
import { rememberReturns, type Returns, returnsOf } from '../method/returns';
import { reportFailure } from '../method/scope';
import { innermost, type Method, standInFor } from '../method/wrap';
import { bindByInjection, bindingOf } from '../registry/binding';
import { checkOptions } from './check-options';
import { keyFor } from './declared-key';
import type { TurboCacheMemoOptions } from './options';

/**
 * Calls with one key run the method once in a request (see `TurboCacheContext`), and get the same result: the same object. What
 * fails is not kept. Outside of a context the method runs each time. Evictions and puts by decorators drop what this
 * request has kept: those of a key that key, others everything. Inside a database transaction, see `@TurboCache`, the method
 * runs each time: what it reads may be rolled back, and the request goes on.
 *
 * @param options A key template, or options.
 */
export function TurboCacheMemo<R extends Returns = 'promise'>(
  options: string | TurboCacheMemoOptions<R> = {},
): DecoratorFor<R> {
  const given: TurboCacheMemoOptions = typeof options === 'string' ? { key: options } : options;
  const decorate = (prototype: object, key: string | symbol, descriptor?: PropertyDescriptor): void => {
    const place = placeOf('@TurboCacheMemo', prototype, key);
    const method = methodIn(descriptor, prototype, place);
    const site = { ...place, phase: 'before', parameters: parametersOf(innermost(method)) } as const;
    checkOptions(given, ['key', 'returns'], site);
    const { of, namesClass } = keyFor(given.key as KeySource<ResultContext> | undefined, site, { prototype, key });
    // Classes of one name must not share what they have not named.
    const keyOf = (call: MethodCall): string =>
      namesClass ? `${of(call)} ${idOf(call.instance.constructor)}` : of(call);
    const returns = returnsOf(prototype, key, method, given.returns, place);
    const wrapper = memoising(method, place.methodName, keyOf, returns);
    rememberReturns(wrapper, returns);
    descriptor!.value = standInFor(method, wrapper);
    bindByInjection(prototype);
  };
  return decorate;
}

function memoising(method: Method, name: string, keyOf: (call: MethodCall) => string, returns: Returns): Method {
  const keep = KEEP[returns];
  return function (...args) {
    const memo = currentContext()?.memo;
    if (memo === undefined || isInTransaction()) return method.apply(this, args);
    const key = keyIfAny(keyOf, new MethodCall(this, name, args));
    if (key === undefined) return method.apply(this, args);
    if (memo.has(key)) return memo.get(key);
    return keep(memo, key, () => method.apply(this, args));
  };
}

const KEEP: Readonly<Record<Returns, (memo: Memo, key: string, run: () => unknown) => unknown>> = {
  value(memo, key, run) {
    const result = run();
    memo.set(key, result);
    return result;
  },
  promise(memo, key, run) {
    const result = (async () => run())();
    memo.set(key, result);
    result.catch(() => memo.drop(key, result));
    return result;
  },
  observable(memo, key, run) {
    let running: Promise<unknown> | undefined;
    // Asked for when somebody subscribes, and then once.
    const result: Observable<unknown> = defer(() => {
      if (running !== undefined) return running;
      running = lastValueFrom(run() as Observable<unknown>, { defaultValue: undefined });
      running.catch(() => memo.drop(key, result));
      return running;
    });
    memo.set(key, result);
    return result;
  },
};

/** A key that cannot be made is no reason to fail the method: it is not memoised, and `onError` is told where there is one. */
function keyIfAny(keyOf: (call: MethodCall) => string, call: MethodCall): string | undefined {
  try {
    return keyOf(call);
  } catch (error) {
    const registered = bindingOf(call.instance)?.registry.main();
    if (registered !== undefined) reportFailure(registered, call, 'key', error);
    return undefined;
  }
}

const ids = new WeakMap<object, number>();
let lastId = 0;

function idOf(type: object): number {
  const id = ids.get(type) ?? (lastId += 1);
  ids.set(type, id);
  return id;
}
