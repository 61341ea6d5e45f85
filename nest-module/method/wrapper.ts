/** The function that takes a method's place: finds the caches of the object it is called on, and lets the decorator decide. */
import { defer, isObservable, lastValueFrom } from 'rxjs';
import { bindingOf } from '../registry/binding';
import type { Binding } from '../registry/cache-registry';
import { MethodCall } from './call';
import type { HotHits } from './hot-hits';
import type { Renew } from './renewal';
import type { Returns } from './returns';
import type { Method } from './wrap';

/** Runs the method below: the user's own, or the next decorator. Rejects when it throws. */
export type Proceed = () => Promise<unknown>;

/** One decorator's part in a call. */
export type Around = (binding: Binding, call: MethodCall, proceed: Proceed) => Promise<unknown>;

/** The same for a method that returns a value at once; `proceed` throws what it throws. */
export type AroundValue = (binding: Binding, call: MethodCall, proceed: () => unknown) => unknown;

export interface Advice {
  readonly around: Around;
  readonly aroundValue: AroundValue;
  /** Asked before the two. */
  readonly hotHits?: HotHits | undefined;
  /** Loads an entry ahead of its callers, see `renewal.ts`. */
  readonly renew?: (binding: Binding, call: MethodCall, proceed: Proceed, ahead: number | null) => Promise<unknown>;
}

/** The same for an object: what is not bound has nothing to renew. */
export function renewerFor(method: Method, name: string, { renew }: Advice): Renew | undefined {
  if (renew === undefined) return undefined;
  return async (instance, args, ahead) => {
    const binding = bindingOf(instance);
    if (binding === undefined) return undefined;
    return renew(binding, new MethodCall(instance, name, args), proceedWith(method, instance, args), ahead);
  };
}

function proceedWith(method: Method, instance: object, args: unknown[]): Proceed {
  return async () => {
    const result = method.apply(instance, args);
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  };
}

export function wrapperFor(method: Method, name: string, advice: Advice, returns: Returns): Method {
  if (returns === 'value') return valueWrapper(method, name, advice);
  const run = (binding: Binding, instance: object, args: unknown[]): Promise<unknown> => {
    return advice.around(binding, new MethodCall(instance, name, args), proceedWith(method, instance, args));
  };
  return returns === 'observable' ? observableWrapper(method, run) : promiseWrapper(method, run, advice.hotHits);
}

type Run = (binding: Binding, instance: object, args: unknown[]) => Promise<unknown>;

function observableWrapper(method: Method, run: Run): Method {
  return function (...args) {
    const binding = bindingOf(this);
    return binding === undefined ? method.apply(this, args) : defer(() => run(binding, this, args));
  };
}

function promiseWrapper(method: Method, run: Run, hotHits: HotHits | undefined): Method {
  const longWay: Method = function (...args) {
    const binding = bindingOf(this);
    return binding === undefined ? method.apply(this, args) : run(binding, this, args);
  };
  if (hotHits === undefined) return longWay;
  const { first, second } = hotHits;
  return function (...args) {
    const binding = bindingOf(this);
    const value = binding === undefined ? undefined : hotHits.find(binding, args[first], args[second]);
    // `args` is only read and passed on: so V8 makes no list of them for a hit.
    return value === undefined ? longWay.apply(this, args) : Promise.resolve(value);
  };
}

function valueWrapper(method: Method, name: string, { aroundValue, hotHits }: Advice): Method {
  const longWay: Method = function (...args) {
    const binding = bindingOf(this);
    if (binding === undefined) return method.apply(this, args);
    return aroundValue(binding, new MethodCall(this, name, args), () => method.apply(this, args));
  };
  if (hotHits === undefined) return longWay;
  const { first, second } = hotHits;
  return function (...args) {
    const binding = bindingOf(this);
    const value = binding === undefined ? undefined : hotHits.find(binding, args[first], args[second]);
    return value === undefined ? longWay.apply(this, args) : value;
  };
}
