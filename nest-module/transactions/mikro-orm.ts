/**
 * MikroORM 6 and 7: an event subscriber hears every begin, commit and rollback. The library carries the transaction of a
 * call in its own context, so whatever runs in `em.transactional()` finds it, and so does a request's entity manager.
 */
import { ConfigurationError } from '../client';
import { addFinder } from '../eviction/transaction';
import type { Database, Execute } from './database';
import { hasMethods, type TransactionSource } from './source';
import type { UnitOfWork } from './unit-of-work';

/** The part of a `MikroORM` that is used. */
export interface MikroOrm {
  readonly em: object;
}

interface EntityManager {
  readonly name: string;
  getContext(validate: boolean): EntityManager;
  getTransactionContext(): object | undefined;
  getConnection(type: 'write'): Connection;
  getPlatform(): object;
  getEventManager(): { registerSubscriber(subscriber: object): void; subscribers?: unknown };
}
interface Connection {
  execute(sql: string, parameters: unknown[], method: 'all', transaction?: object): Promise<unknown>;
  transactional<T>(work: (transaction: object) => Promise<T>): Promise<T>;
}
interface TransactionEvent {
  readonly em: EntityManager;
  readonly transaction?: object;
}

/** Transactions of an initialized ORM. */
export function mikroOrmTransactions(orm: MikroOrm): TransactionSource {
  const name = 'mikroOrmTransactions()';
  if (!hasMethods((orm as MikroOrm | undefined)?.em, ['getContext', 'getTransactionContext', 'getEventManager'])) {
    const expected = 'a MikroORM of @mikro-orm/core';
    throw new ConfigurationError('E_TURBOCACHE_OPTION', `${name}: its argument is no MikroORM; expected ${expected}.`, {
      option: 'orm',
      expected,
    });
  }
  return new MikroOrmTransactions(name, orm.em as EntityManager);
}

class MikroOrmTransactions implements TransactionSource {
  readonly #units = new WeakMap<object, UnitOfWork>();
  /** The transaction in which an entity manager is about to make a savepoint. */
  readonly #parents = new WeakMap<EntityManager, object>();
  #attached = false;

  constructor(
    readonly name: string,
    private readonly em: EntityManager,
  ) {}

  get database(): Database {
    const connection = this.em.getConnection('write');
    return {
      dialect: this.em
        .getPlatform()
        .constructor.name.replace(/Platform$/, '')
        .toLowerCase(),
      execute: executeOn(connection),
      // Of the connection, which tells no subscriber.
      transaction: (work) => connection.transactional((transaction) => work(executeOn(connection, transaction))),
    };
  }

  attach(begin: () => UnitOfWork): () => void {
    this.#attached = true;
    // The library cannot unregister: a subscriber that has ended hears, and does nothing.
    this.em.getEventManager().registerSubscriber(this.#subscriber(begin));
    const removeFinder = addFinder(() => this.#current());
    return () => {
      this.#attached = false;
      removeFinder();
    };
  }

  unitOf(handle: object): UnitOfWork | 'none' | undefined {
    if (!hasMethods(handle, ['getTransactionContext', 'getContext'])) return undefined;
    return this.#unitIn((handle as EntityManager).getContext(false)) ?? 'none';
  }

  #current(): UnitOfWork | undefined {
    return this.#unitIn(this.em.getContext(false));
  }

  #unitIn(em: EntityManager): UnitOfWork | undefined {
    const transaction = em.getTransactionContext();
    return transaction === undefined ? undefined : this.#units.get(transaction);
  }

  #subscriber(begin: () => UnitOfWork): object {
    const units = this.#units;
    return {
      beforeTransactionStart: ({ em, transaction }: TransactionEvent) => {
        if (transaction === undefined) this.#parents.delete(em);
        else this.#parents.set(em, transaction);
      },
      afterTransactionStart: ({ em, transaction }: TransactionEvent) => {
        if (!this.#attached || transaction === undefined) return;
        const parent = this.#parents.get(em);
        units.set(transaction, (parent === undefined ? undefined : units.get(parent)?.nested()) ?? begin());
      },
      beforeTransactionCommit: async ({ em, transaction }: TransactionEvent) => {
        if (transaction === undefined) return;
        await units.get(transaction)?.committing(executeOn(em.getConnection('write'), transaction));
      },
      afterTransactionCommit: async ({ transaction }: TransactionEvent) => {
        if (transaction !== undefined) await units.get(transaction)?.committed();
      },
      beforeTransactionRollback: async ({ transaction }: TransactionEvent) => {
        const unit = transaction === undefined ? undefined : units.get(transaction);
        // A commit that failed: it may be that only its answer was lost.
        if (unit?.isCommitting === true) await unit.unresolved();
      },
      afterTransactionRollback: ({ transaction }: TransactionEvent) => {
        if (transaction !== undefined) units.get(transaction)?.rolledBack();
      },
    };
  }
}

/** The library wants question marks. */
function executeOn(connection: Connection, transaction?: object): Execute {
  return async (sql, parameters) => {
    const text = sql.replace(/\$\d+/g, '?');
    const rows = await connection.execute(text, [...parameters], 'all', transaction);
    return Array.isArray(rows) ? (rows as unknown[]) : [];
  };
}
