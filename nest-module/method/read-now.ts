/** `@TurboCache` on a method that returns a value at once: the memory of this process, with the method as the loader. */
import { type LoaderContext, TurboCacheError, UnsupportedError } from '../client';
import type { MethodCall } from './call';
import { isAnswer, MethodFailure } from './answers';
import type { Decide } from './read-through';
import { reportFailure, type Scope } from './scope';

export function readNow(
  scope: Scope,
  key: string,
  call: MethodCall,
  proceed: () => unknown,
  decide: Decide | undefined,
): unknown {
  // Set once this very call has run the method: it must not run a second time, whatever the cache does then.
  let ran: { readonly value: unknown } | undefined;
  const loader = (context: LoaderContext): unknown => {
    const value = run(proceed);
    ran = { value };
    if (value instanceof Promise) throw notAValue(call);
    decide?.(context, call.withResult(value));
    return value;
  };
  try {
    if (scope.shortcuts === undefined) throw unsupported();
    return scope.shortcuts.getOrLoadNow(key, loader, scope.entry);
  } catch (error) {
    if (error instanceof MethodFailure) throw error.cause;
    if (isAnswer(error)) throw error;
    reportFailure(scope, call, 'read', error);
    return ran === undefined ? proceed() : ran.value;
  }
}

function run(proceed: () => unknown): unknown {
  try {
    return proceed();
  } catch (error) {
    throw new MethodFailure(error);
  }
}

function notAValue({ className, methodName }: MethodCall): TurboCacheError {
  const expected = "a value, or the decorator without `returns: 'value'`";
  return new TurboCacheError(
    'E_TURBOCACHE_DECORATOR',
    `${className}.${methodName} returned a promise, which is not stored; expected ${expected}.`,
    { option: 'returns', got: 'value', expected, className, methodName },
  );
}

function unsupported(): UnsupportedError {
  const expected = 'a CacheManager or one of its caches';
  return new UnsupportedError(
    'E_TURBOCACHE_UNSUPPORTED',
    `This cache has no synchronous load; expected ${expected} for methods with \`returns: 'value'\`.`,
    { option: 'returns', expected },
  );
}
