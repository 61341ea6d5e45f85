/** What all method decorators have in common: look at the method once, then run every call through `around`. */
import { defer, isObservable, lastValueFrom, type Observable } from 'rxjs';
import { decoratorError, type Phase, type Place, type Site } from '../decorators/site';
import { parametersOf } from '../key/parameters';
import { bindByInjection, bindingOf } from '../registry/binding';
import type { Binding } from '../registry/cache-registry';
import { declare } from '../registry/declarations';
import { MethodCall } from './call';
import type { HotHits } from './hot-hits';
import { type Returns, returnsOf } from './returns';
import { innermost, type Method, standInFor } from './wrap';

/** Runs the method below: the user's own, or the next decorator. Rejects when it throws. */
export type Proceed = () => Promise<unknown>;

/** One decorator's part in a call. */
export type Around = (binding: Binding, call: MethodCall, proceed: Proceed) => Promise<unknown>;

export interface Decoration {
  readonly decorator: string;
  readonly options: { readonly cache?: string | undefined; readonly returns?: Returns | undefined };
  readonly compile: (
    site: (phase: Phase) => Site,
    target: Target,
  ) => {
    readonly around: Around;
    /** Asked before {@link Around}. */
    readonly hotHits?: HotHits | undefined;
    readonly namesClass: boolean;
  };
}

/** The method a decorator stands on. */
export interface Target {
  readonly prototype: object;
  readonly key: string | symbol;
}

type CacheableMethod = (...args: never[]) => Promise<unknown> | Observable<unknown>;

/**
 * For methods that return a promise or an Observable; others are a compile-time error. (The descriptor is optional only
 * for `applyDecorators`, which wants decorators that could stand on a property; standing on one is an error.)
 */
export type TurboCacheMethodDecorator = <T extends CacheableMethod>(
  target: object,
  key: string | symbol,
  descriptor?: TypedPropertyDescriptor<T>,
) => void;

export function decorateMethod({ decorator, options, compile }: Decoration): TurboCacheMethodDecorator {
  return (prototype, key, descriptor) => {
    const place = placeOf(decorator, prototype, key);
    const method = methodIn(descriptor, prototype, place);
    const parameters = parametersOf(innermost(method));
    const { around, hotHits, namesClass } = compile((phase) => ({ ...place, phase, parameters }), { prototype, key });
    const returns = returnsOf(prototype, key, method, options.returns, place);
    descriptor!.value = standInFor(method, wrapperFor(method, place.methodName, around, hotHits, returns)) as never;
    bindByInjection(prototype);
    declare(prototype, { decorator, methodName: place.methodName, cache: options.cache, namesClass });
  };
}

export function placeOf(decorator: string, prototype: object, key: string | symbol): Place {
  const type = typeof prototype === 'function' ? prototype : (prototype as object | undefined)?.constructor;
  return {
    decorator,
    className: type?.name ?? '',
    methodName: typeof key === 'object' ? String((key as { name?: unknown }).name) : String(key),
  };
}

/** The method in a descriptor; an error for anything else a decorator can be put on. */
export function methodIn(descriptor: PropertyDescriptor | undefined, prototype: unknown, place: Place): Method {
  if (typeof prototype === 'object' && prototype !== null && typeof descriptor?.value === 'function') {
    return descriptor.value as Method;
  }
  const isStatic = typeof prototype === 'function' && descriptor !== undefined;
  throw decoratorError(
    place,
    isStatic ? 'a static method belongs to no application' : 'it does not stand on a method',
    {
      expected: 'a method of a class, compiled with `experimentalDecorators`',
    },
  );
}

function wrapperFor(
  method: Method,
  name: string,
  around: Around,
  hotHits: HotHits | undefined,
  returns: Returns,
): Method {
  const run = (binding: Binding, instance: object, args: unknown[]): Promise<unknown> => {
    const proceed = async (): Promise<unknown> => {
      const result = method.apply(instance, args);
      return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    };
    return around(binding, new MethodCall(instance, name, args), proceed);
  };
  if (returns === 'observable') {
    return function (...args) {
      const binding = bindingOf(this);
      return binding === undefined ? method.apply(this, args) : defer(() => run(binding, this, args));
    };
  }
  if (hotHits === undefined) {
    return function (...args) {
      const binding = bindingOf(this);
      return binding === undefined ? method.apply(this, args) : run(binding, this, args);
    };
  }
  return function (...args) {
    const binding = bindingOf(this);
    if (binding === undefined) return method.apply(this, args);
    const value = hotHits.find(binding, args);
    return value === undefined ? run(binding, this, args) : Promise.resolve(value);
  };
}
