import type { CacheStats, TierName } from 'turbocache-js';

/** How many calls each tier answered. */
export type TierCounts = Record<TierName, number>;

/** Read from the cache's own counters: nothing here guesses. */
export function tierCounts(stats: CacheStats): TierCounts {
  return { hot: stats.hot.hits, memory: stats.memory.hits, remote: stats.remote.hits, loader: stats.loads.started };
}

/** What was answered between two readings. */
export function tierCountsBetween(before: TierCounts, after: TierCounts): TierCounts {
  return {
    hot: after.hot - before.hot,
    memory: after.memory - before.memory,
    remote: after.remote - before.remote,
    loader: after.loader - before.loader,
  };
}
