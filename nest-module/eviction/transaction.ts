/**
 * The database transaction that a call runs in, if there is one that `turbocache-js/transactions` knows of. Without that
 * module nobody is ever found, and looking costs one read of an AsyncLocalStorage.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { RegisteredCache } from '../registry/cache-registry';
import type { Eviction } from './eviction';

export interface OpenTransaction {
  /** Keeps an eviction until the commit; a rollback forgets it. `false`: the transaction has ended. */
  note(registered: RegisteredCache, eviction: Eviction): boolean;
}

/** Looks anew each time: a transaction may have begun a savepoint, or ended, since. */
export type TransactionFinder = () => OpenTransaction | undefined;

const bound = new AsyncLocalStorage<TransactionFinder>();
const finders = new Set<TransactionFinder>();

export function currentTransaction(): OpenTransaction | undefined {
  const own = bound.getStore()?.();
  if (own !== undefined) return own;
  for (const find of finders) {
    const found = find();
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Everything that `work` calls, and waits for, finds its transaction through `finder`. */
export function runInTransaction<T>(finder: TransactionFinder, work: () => T): T {
  return bound.run(finder, work);
}

/** For libraries that carry their transaction themselves. Gives the end of it. */
export function addFinder(finder: TransactionFinder): () => void {
  finders.add(finder);
  return () => void finders.delete(finder);
}
