/** One question that only the remote tier can answer, and what the counters say after it. */
import { type CacheManager, type CacheStats, TurboCacheError } from '../client';

/** Nobody stores it, so the hot tier and the memory tier never answer for the remote one. */
const KEY = '~turbocache:health';

export interface Probe {
  readonly remote: CacheStats['remote']['state'];
  readonly responseTime: number;
  readonly memory: number;
  readonly closed: boolean;
}

/**
 * A read never fails because the remote tier does: it ends as a miss, at the latest after `redis.commandTimeout`. Whether it
 * was answered is seen in the counters. An error of somebody else's question in between counts as well; that is no injustice.
 */
export async function probe(manager: CacheManager): Promise<Probe> {
  const errors = manager.stats().remote.errors;
  const started = performance.now();
  const closed = await ask(manager);
  const responseTime = Math.round(performance.now() - started);
  const { remote, memory, hot } = manager.stats();
  return {
    remote: remote.errors > errors ? 'down' : remote.state,
    responseTime: remote.state === 'none' ? 0 : responseTime,
    memory: memory.bytes + hot.bytes,
    closed,
  };
}

async function ask(manager: CacheManager): Promise<boolean> {
  try {
    await manager.get(KEY);
    return false;
  } catch (error) {
    if (error instanceof TurboCacheError && error.code === 'E_TURBOCACHE_CLOSED') return true;
    throw error;
  }
}
