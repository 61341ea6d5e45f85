import type { Execute, TransactionSource, UnitOfWork } from 'turbocache-js/transactions';
import type { Database, Statements } from '../database';

/**
 * Tells the cache how the transactions of our own database client go. With TypeORM, MikroORM or Prisma this file is one line:
 * `typeormTransactions(dataSource)`.
 */
export function databaseTransactions(database: Database): TransactionSource {
  const units = new WeakMap<object, UnitOfWork>();
  return {
    name: 'databaseTransactions()',
    database: {
      dialect: 'postgres',
      execute: executeOn(database),
      transaction: (work) => database.transaction((transaction) => work(executeOn(transaction))),
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
