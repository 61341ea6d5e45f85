/** What `onError` is told. A failure of the cache never becomes a failure of the method; this is the only place it shows. */
import type { TurboCacheError } from '../client';

export interface CacheFailure {
  /**
   * - `key`, `condition`, `read`, `write`, `evict`: what a decorator or the interceptor was doing; the method was called, or its result
   *   returned, all the same.
   * - `tier`: the manager reported something that no caller was waiting for.
   */
  readonly operation: 'key' | 'condition' | 'read' | 'write' | 'evict' | 'tier';
  /** `UsersService.find`; absent for `tier`. */
  readonly method?: string;
  /** Name of the cache, if it has one. */
  readonly cache?: string;
}

/** Told of every failure, each time. It must not throw; if it does, that is logged and nothing else happens. */
export type CacheFailureHandler = (error: TurboCacheError, failure: CacheFailure) => void;
