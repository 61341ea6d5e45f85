/** What a database library must offer. One file each implements it, by the little of the library that is used. */
import type { Database } from './database';
import type { UnitOfWork } from './unit-of-work';

export interface TransactionSource {
  /** For messages: `typeormTransactions()`. */
  readonly name: string;
  readonly database: Database;
  /** Listens to the library's transactions; `begin` makes a unit for each. Gives the end of it. */
  attach(begin: () => UnitOfWork): () => void;
  /**
   * The unit of what users hold in their hands: an entity manager, a query runner, a client.
   * `'none'`: it is in no transaction. `undefined`: it is not of this library.
   */
  unitOf(handle: object): UnitOfWork | 'none' | undefined;
}

/** A wrong argument is seen when the application starts. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  );
}
