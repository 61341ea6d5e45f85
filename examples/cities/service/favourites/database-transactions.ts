import type { Execute, TransactionSource, UnitOfWork } from 'turbocache-js/transactions';
import type { Database, Statements } from '../database';

/**
 * Tells the cache how the transactions of our own database client go. With TypeORM, MikroORM or Prisma this file is one line:
 * `typeormTransactions(dataSource)`.
 *
 * @param journal A connection of its own for the upkeep of the journal: no request waits behind it or pays for it.
 */
export function databaseTransactions(database: Database, journal: Database): TransactionSource {
  const units = new WeakMap<object, UnitOfWork>();
  return {
    name: 'databaseTransactions()',
    database: {
      dialect: 'postgres',
      execute: executeOn(journal),
      transaction: (work) => journal.transaction((transaction) => work(executeOn(transaction))),
    },
    attach(begin) {
      database.watch = {
        began: (transaction) => void units.set(transaction, begin()),
        committing: async (transaction) => units.get(transaction)?.committing(executeOn(transaction)),
        committed: async (transaction) => units.get(transaction)?.committed(),
        rolledBack: (transaction) => units.get(transaction)?.rolledBack(),
      };
      return () => (database.watch = undefined);
    },
    unitOf: (handle) => units.get(handle),
  };
}

function executeOn(statements: Statements): Execute {
  return (sql, parameters) => statements.query(sql, parameters as (string | number | null)[]);
}
