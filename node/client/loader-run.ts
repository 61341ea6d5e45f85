/** One call of a user's loader: in its own frame of recursion, and given up when its time is over. */
import { LoaderTimeoutError } from './errors';
import type { LoadContext } from './load-context';
import type { LoadRequest } from './load-request';
import { endLoad, runLoad } from './recursion';
import { isThenable } from './thenable';

/** Above this, `setTimeout` fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Exactly one of the two is called, once. */
export interface LoaderEnd {
  /** `loadTime` in milliseconds. */
  loaded(value: unknown, loadTime: number): void;
  failed(error: unknown): void;
}

export function runLoader(space: object, request: LoadRequest, context: LoadContext, end: LoaderEnd): void {
  const { key, loader } = request;
  const started = performance.now();
  runLoad(
    space,
    (other) => other === key,
    (frame) => {
      let timer: NodeJS.Timeout | undefined;
      let settled = false;
      const settle = (): boolean => {
        if (settled) return false;
        settled = true;
        clearTimeout(timer);
        endLoad(frame);
        return true;
      };
      const succeed = (value: unknown): void => {
        if (settle()) end.loaded(value, performance.now() - started);
      };
      const fail = (error: unknown): void => {
        if (settle()) end.failed(error);
      };
      const giveUp = (): void => {
        // First: what listens to the signal may throw, and may call the cache.
        fail(deadlineError(key, request.entry.freshness.loaderDeadline));
        context.abort();
      };
      let result: unknown;
      try {
        result = loader(context);
      } catch (error) {
        return fail(error);
      }
      if (!isThenable(result)) return succeed(result);
      const { loaderDeadline } = request.entry.freshness;
      if (loaderDeadline !== null) {
        timer = setTimeout(giveUp, Math.min(loaderDeadline, LONGEST_TIMER));
        // A loader that hangs keeps no process alive that has nothing else to do.
        timer.unref();
      }
      result.then(succeed, fail);
    },
  );
}

function deadlineError(key: string, deadline: number | null): LoaderTimeoutError {
  const message = `The loader of key '${key}' needed longer than ${deadline} ms (loaderDeadline) and was given up; its signal is aborted, and what it brings is dropped.`;
  const expected = `a value within ${deadline} ms`;
  return new LoaderTimeoutError('E_TURBOCACHE_LOADER_TIMEOUT', message, { key, option: 'loaderDeadline', expected });
}
