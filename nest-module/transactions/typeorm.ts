/**
 * TypeORM 0.3 and 1: a subscriber hears every begin, commit and rollback of a query runner, savepoints included. What runs
 * inside `dataSource.transaction()`, or `transaction()` of its manager, finds its transaction by itself.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ConfigurationError } from '../client';
import { runInTransaction } from '../eviction/transaction';
import type { Database, Execute } from './database';
import { hasMethods, type TransactionSource } from './source';
import type { UnitOfWork } from './unit-of-work';

/** The part of a `DataSource` that is used. */
export interface TypeormDataSource {
  readonly isInitialized: boolean;
  readonly options: { readonly type: string };
  readonly manager: object;
  readonly subscribers: object[];
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

interface QueryRunner {
  readonly manager: object;
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}
interface EntityManager {
  readonly queryRunner?: QueryRunner;
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  transaction: Transaction;
}
type Transaction = (this: unknown, ...args: unknown[]) => Promise<unknown>;
interface TransactionEvent {
  readonly queryRunner: QueryRunner;
}

/** Transactions of a data source that is initialized. */
export function typeormTransactions(dataSource: TypeormDataSource): TransactionSource {
  const name = 'typeormTransactions()';
  if (!hasMethods(dataSource, ['query', 'initialize'])) {
    throw wrong(name, 'its argument is no DataSource', 'a DataSource of typeorm');
  }
  if (!dataSource.isInitialized) {
    throw wrong(name, 'the DataSource is not initialized', 'a DataSource after `initialize()`');
  }
  return new TypeormTransactions(name, dataSource);
}

class TypeormTransactions implements TransactionSource {
  /** The innermost open unit of each runner. */
  readonly #units = new WeakMap<QueryRunner, UnitOfWork>();
  /** The subscriber runs inside, and says which runner a call has got. */
  readonly #calls = new AsyncLocalStorage<Call>();
  readonly #manager: EntityManager;
  readonly #transaction: Transaction;

  constructor(
    readonly name: string,
    private readonly dataSource: TypeormDataSource,
  ) {
    this.#manager = dataSource.manager as EntityManager;
    this.#transaction = this.#manager.transaction;
  }

  get database(): Database {
    return {
      dialect: this.dataSource.options.type,
      execute: executeOn(this.dataSource),
      transaction: <T>(work: (execute: Execute) => Promise<T>) =>
        this.#transaction.call(this.#manager, (manager: EntityManager) => work(executeOn(manager))) as Promise<T>,
    };
  }

  attach(begin: () => UnitOfWork): () => void {
    const { subscribers } = this.dataSource;
    const subscriber = this.#subscriber(begin);
    subscribers.push(subscriber);
    this.#manager.transaction = (...args) => this.#run(args);
    return () => {
      this.#manager.transaction = this.#transaction;
      const place = subscribers.indexOf(subscriber);
      if (place >= 0) subscribers.splice(place, 1);
    };
  }

  unitOf(handle: object): UnitOfWork | 'none' | undefined {
    if (hasMethods(handle, ['startTransaction', 'commitTransaction'])) {
      return this.#units.get(handle as QueryRunner) ?? 'none';
    }
    if (!hasMethods(handle, ['transaction', 'getRepository'])) return undefined;
    const { queryRunner } = handle as EntityManager;
    return (queryRunner === undefined ? undefined : this.#units.get(queryRunner)) ?? 'none';
  }

  #run(args: unknown[]): Promise<unknown> {
    const call: Call = { runner: undefined };
    const finder = () => (call.runner === undefined ? undefined : this.#units.get(call.runner));
    return this.#calls.run(call, () => runInTransaction(finder, () => this.#transaction.apply(this.#manager, args)));
  }

  #subscriber(begin: () => UnitOfWork): object {
    const units = this.#units;
    const end = (queryRunner: QueryRunner, unit: UnitOfWork): void => {
      if (unit.parent === undefined) units.delete(queryRunner);
      else units.set(queryRunner, unit.parent);
    };
    return {
      afterTransactionStart: ({ queryRunner }: TransactionEvent) => {
        const unit = units.get(queryRunner)?.nested() ?? begin();
        units.set(queryRunner, unit);
        const call = this.#calls.getStore();
        // Only the first one is this call's: its savepoints, and runners made by hand inside it, come later.
        if (call !== undefined) call.runner ??= queryRunner;
      },
      beforeTransactionCommit: async ({ queryRunner }: TransactionEvent) => {
        await units.get(queryRunner)?.committing(executeOn(queryRunner));
      },
      afterTransactionCommit: async ({ queryRunner }: TransactionEvent) => {
        const unit = units.get(queryRunner);
        if (unit === undefined) return;
        end(queryRunner, unit);
        await unit.committed();
      },
      beforeTransactionRollback: async ({ queryRunner }: TransactionEvent) => {
        // A commit that failed: it may be that only its answer was lost.
        if (units.get(queryRunner)?.isCommitting === true) await units.get(queryRunner)?.unresolved();
      },
      afterTransactionRollback: ({ queryRunner }: TransactionEvent) => {
        const unit = units.get(queryRunner);
        if (unit === undefined) return;
        end(queryRunner, unit);
        unit.rolledBack();
      },
    };
  }
}

/** One call of `transaction()`: its runner, once it is known. */
interface Call {
  runner: QueryRunner | undefined;
}

function executeOn(target: Pick<QueryRunner, 'query'>): Execute {
  return async (sql, parameters) => {
    const rows = await target.query(sql, [...parameters]);
    // A DELETE answers `[rows, count]` in TypeORM.
    return Array.isArray(rows) ? (rows as unknown[]) : [];
  };
}

function wrong(name: string, what: string, expected: string): ConfigurationError {
  return new ConfigurationError('E_TURBOCACHE_OPTION', `${name}: ${what}; expected ${expected}.`, {
    option: 'dataSource',
    expected,
  });
}
