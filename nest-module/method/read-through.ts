/** The heart of `@TurboCache`: ask the cache, with the method as the loader. */
import type { LoaderContext } from '../client';
import { isAnswer, MethodFailure } from './answers';
import type { MethodCall } from './call';
import { reportFailure, type Scope } from './scope';
import type { Proceed } from './wrapper';

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
    if (isAnswer(error)) throw error;
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
