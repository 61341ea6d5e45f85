/** What callers get when the loader fails and there is no old value: their `fallback`, if they named one. */
import { encode } from './codec';
import { ClosedError, RecursiveLoadError, TurboCacheError } from './errors';
import type { Outcome } from './outcome';
import type { Space } from './space';

/**
 * The value of an outcome, or what the fallback gives instead of its error. It goes through the encoding like any loaded
 * value, so that it has the types that a hit would have, and so that nobody alters it for the next caller (laws 7, 8).
 */
export function takeOr(space: Space, key: string, outcome: Outcome, fallback: unknown): unknown {
  try {
    return outcome.take();
  } catch (error) {
    // Neither of the two is a failure of the origin, and a default would hide it.
    const hides = error instanceof ClosedError || error instanceof RecursiveLoadError;
    if (hides || fallback === undefined) throw error;
    const value: unknown = typeof fallback === 'function' ? (fallback as (error: unknown) => unknown)(error) : fallback;
    space.backgroundLoads.failed(() => failure(key, error));
    if (value === undefined) return undefined;
    return space.receiveOwn(key, encode(space.codec, key, value, Infinity)).take();
  }
}

function failure(key: string, cause: unknown): TurboCacheError {
  const message = `The loader of key '${key}' failed and nobody was told, because its fallback was served.`;
  return new TurboCacheError('E_TURBOCACHE_LOADER', message, { key, cause });
}
