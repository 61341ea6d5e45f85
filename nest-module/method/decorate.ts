/** What all method decorators have in common: look at the method once, then run every call through `around`. */
import type { Observable } from 'rxjs';
import type { Phase, Site } from '../decorators/site';
import { parametersOf } from '../key/parameters';
import { bindByInjection } from '../registry/binding';
import { declare } from '../registry/declarations';
import { methodIn, placeOf } from './place';
import { rememberRenewal } from './renewal';
import { rememberReturns, type Returns, returnsOf } from './returns';
import { innermost, standInFor } from './wrap';
import { type Advice, renewerFor, wrapperFor } from './wrapper';

export interface Decoration {
  readonly decorator: string;
  readonly options: { readonly cache?: string | undefined; readonly returns?: Returns | undefined };
  readonly compile: (site: (phase: Phase) => Site, target: Target) => Advice & { readonly namesClass: boolean };
}

/** The method a decorator stands on. */
export interface Target {
  readonly prototype: object;
  readonly key: string | symbol;
}

type Later = Promise<unknown> | Observable<unknown>;
type CacheableMethod = (...args: never[]) => Later;

/**
 * For methods that return a promise or an Observable; others are a compile-time error. (The descriptor is optional only
 * for `applyDecorators`, which wants decorators that could stand on a property; standing on one is an error.)
 */
export type TurboCacheMethodDecorator = <T extends CacheableMethod>(
  target: object,
  key: string | symbol,
  descriptor?: TypedPropertyDescriptor<T>,
) => void;

/** For methods that return a value at once (`returns: 'value'`). */
export type TurboCacheValueDecorator = <T extends (...args: never[]) => unknown>(
  target: object,
  key: string | symbol,
  descriptor?: TypedPropertyDescriptor<T> & NotLater<ReturnType<T>>,
) => void;
type NotLater<Result> = [Result] extends [never] ? unknown : Result extends Later ? never : unknown;

/** What a decorator with an option `returns` may stand on. */
export type DecoratorFor<R extends Returns> = [R] extends ['value']
  ? TurboCacheValueDecorator
  : TurboCacheMethodDecorator;

export function decorateMethod<R extends Returns>({ decorator, options, compile }: Decoration): DecoratorFor<R> {
  const decorate = (prototype: object, key: string | symbol, descriptor?: PropertyDescriptor): void => {
    const place = placeOf(decorator, prototype, key);
    const method = methodIn(descriptor, prototype, place);
    const parameters = parametersOf(innermost(method));
    const advice = compile((phase) => ({ ...place, phase, parameters }), { prototype, key });
    const returns = returnsOf(prototype, key, method, options.returns, place);
    const wrapper = wrapperFor(method, place.methodName, advice, returns);
    rememberReturns(wrapper, returns);
    const renew = renewerFor(method, place.methodName, advice);
    if (renew !== undefined && returns !== 'value') rememberRenewal(wrapper, renew);
    descriptor!.value = standInFor(method, wrapper);
    bindByInjection(prototype);
    declare(prototype, {
      decorator,
      methodName: place.methodName,
      cache: options.cache,
      namesClass: advice.namesClass,
    });
  };
  return decorate;
}
