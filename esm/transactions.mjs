// The ESM face of the same CommonJS modules, see nest.mjs.
import transactions from '../dist/nest-module/transactions/index.js';

export const {
  TurboCacheTransactions,
  TurboCacheTransactionsModule,
  mikroOrmTransactions,
  prismaTransactions,
  typeormTransactions,
} = transactions;
