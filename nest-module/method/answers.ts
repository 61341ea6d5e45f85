/** Which of the errors that come out of a cache are the caller's. */
import { TurboCacheError, type TurboCacheErrorCode } from '../client';

/** Carries an error of the method through the cache, so that it is never mistaken for one of the cache. */
export class MethodFailure extends Error {
  constructor(cause: unknown) {
    super('the cached method failed', { cause });
  }
}

/**
 * Errors of the cache that are answers, not failures: the caller asked for a limit, or the method asks for itself and
 * would without a cache do so for ever.
 */
const ANSWERS = new Set<TurboCacheErrorCode>([
  'E_TURBOCACHE_LOADER_TIMEOUT',
  'E_TURBOCACHE_OVERLOADED',
  'E_TURBOCACHE_RECURSIVE_LOAD',
]);

export function isAnswer(error: unknown): error is TurboCacheError {
  return error instanceof TurboCacheError && ANSWERS.has(error.code);
}
