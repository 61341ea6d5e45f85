/** A caller's wait for a load, no longer than its own limits allow; the load goes on without it. */
import { LoaderTimeoutError } from './errors';
import type { Freshness } from './freshness';
import type { SharedLoad } from './load';
import { errorOutcome, type Outcome } from './outcome';

/** Above this, `setTimeout` fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * The soft limit (none at all with `swr`) counts when there is an old value, the hard one always; both from the loader's start, or from the
 * caller's, if that is later. Until a loader runs in this isolate, one elsewhere may be what is waited for: then the hard
 * limit counts too, but on top of what a slow remote tier may take, so that a slow cache never looks like a slow loader.
 */
export function waitFor(load: SharedLoad, limits: Freshness, remoteLimit: number): Promise<Outcome> {
  const { hardTimeout } = limits;
  const softTimeout = limits.swr ? 0 : limits.softTimeout;
  load.waiters++;
  if (softTimeout === null && hardTimeout === null) return load.outcome;

  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let done = false;
    const finish = (outcome: Outcome): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      load.waiters--;
      resolve(outcome);
    };
    const giveUp = (): void => finish(load.stale ?? errorOutcome(timeoutError(load.key, hardTimeout)));
    const arm = (limit: number): void => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, Math.min(limit, LONGEST_TIMER));
    };
    const loading = (): void => {
      if (done) return;
      const limit =
        load.stale !== undefined && softTimeout !== null ? Math.min(softTimeout, hardTimeout ?? Infinity) : hardTimeout;
      if (limit === null) return;
      if (limit === 0 && load.stale !== undefined) finish(load.stale);
      else arm(limit);
    };

    void load.outcome.then(finish);
    if (load.loading) return loading();
    if (hardTimeout !== null) arm(hardTimeout + remoteLimit);
    load.onLoading.push(loading);
  });
}

function timeoutError(key: string, hardTimeout: number | null): LoaderTimeoutError {
  const message = `The loader of key '${key}' needed longer than ${hardTimeout} ms (hardTimeout), and there is no older value; it goes on in the background.`;
  return new LoaderTimeoutError('E_TURBOCACHE_LOADER_TIMEOUT', message, {
    key,
    option: 'hardTimeout',
    expected: `a value within ${hardTimeout} ms`,
  });
}
