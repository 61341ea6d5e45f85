/** The heart of `@TurboCache`: ask the cache, with the method as the loader. */
import { TurboCacheError, type LoaderContext, type TurboCacheErrorCode } from '../client';
import type { MethodCall } from './call';
import type { Proceed } from './decorate';
import { reportFailure, type Scope } from './scope';

/** Carries an error of the method through the cache, so that it is never mistaken for one of the cache. */
class MethodFailure extends Error {
  constructor(cause: unknown) {
    super('the cached method failed', { cause });
  }
}

/**
 * Errors of the cache that are answers, not failures: the caller asked for a limit, or the method asks for itself and
 * would without a cache do so for ever.
 */
const ANSWERS = new Set<TurboCacheErrorCode>(['E_TURBOCACHE_LOADER_TIMEOUT', 'E_TURBOCACHE_RECURSIVE_LOAD']);

/** Told of the method's result before it is stored. */
export type Decide = (context: LoaderContext, call: MethodCall) => void;

export function readThrough(
  scope: Scope,
  key: string,
  call: MethodCall,
  proceed: Proceed,
  decide: Decide | undefined,
): Promise<unknown> {
  // Set once this very call runs the method: it must not run a second time, whatever the cache does then.
  let running: Promise<unknown> | undefined;
  const loader = (context: LoaderContext): Promise<unknown> => {
    running = proceed();
    return running.then(
      (result) => {
        decide?.(context, call.withResult(result));
        return result;
      },
      (error: unknown) => {
        throw new MethodFailure(error);
      },
    );
  };
  return ask(scope, key, loader).catch((error: unknown) => {
    if (error instanceof MethodFailure) throw error.cause;
    if (error instanceof TurboCacheError && ANSWERS.has(error.code)) throw error;
    reportFailure(scope, call, 'read', error);
    return running ?? proceed();
  });
}

/** A cache that throws instead of rejecting fails the same way. */
function ask(
  { cache, entry }: Scope,
  key: string,
  loader: (context: LoaderContext) => Promise<unknown>,
): Promise<unknown> {
  try {
    return cache.getOrSet(key, loader, entry);
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the cache threw
    return Promise.reject(error);
  }
}
