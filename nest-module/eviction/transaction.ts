/**
 * The database transaction that a call runs in, if there is one that `turbocache-js/transactions` knows of. Each hit of a
 * decorated method asks, so a program that has never had one must not pay for the question: reading an AsyncLocalStorage
 * takes as long as a quarter of the hit.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { RegisteredCache } from '../registry/cache-registry';
import type { Eviction } from './eviction';

export interface OpenTransaction {
  /** `false` once it has ended; a savepoint ends with its transaction. */
  readonly isOpen: boolean;
  /** Keeps an eviction until the commit; a rollback forgets it. `false`: the transaction has ended. */
  note(registered: RegisteredCache, eviction: Eviction): boolean;
}

/** Looks anew each time: a transaction may have begun a savepoint, or ended, since. */
export type TransactionFinder = () => OpenTransaction | undefined;

const bound = new AsyncLocalStorage<TransactionFinder>();
const finders = new Set<TransactionFinder>();
/** Whether there may have been a transaction in this program. */
let areKnown = false;

/** Work that outlives its transaction is in none. */
export function currentTransaction(): OpenTransaction | undefined {
  return areKnown ? openTransaction() : undefined;
}

/**
 * What is read in an open transaction may never be committed, and what others have stored may be what it has made old. So
 * nothing that is read in one comes out of a cache, is shared with callers outside, or is stored.
 */
export function isInTransaction(): boolean {
  return currentTransaction() !== undefined;
}

/** Everything that `work` calls, and waits for, finds its transaction through `finder`. */
export function runInTransaction<T>(finder: TransactionFinder, work: () => T): T {
  areKnown = true;
  return bound.run(finder, work);
}

/** For libraries that carry their transaction themselves. Gives the end of it. */
export function addFinder(finder: TransactionFinder): () => void {
  areKnown = true;
  finders.add(finder);
  return () => void finders.delete(finder);
}

function openTransaction(): OpenTransaction | undefined {
  const own = bound.getStore()?.();
  if (own?.isOpen === true) return own;
  for (const find of finders) {
    const found = find();
    if (found?.isOpen === true) return found;
  }
  return undefined;
}
