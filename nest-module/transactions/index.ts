/** `turbocache-js/transactions`: evictions after the commit, for TypeORM, MikroORM and Prisma. */
import '../peer/require-nest';

export { TurboCacheTransactionsModule } from './transactions.module';
export { TurboCacheTransactions, type TurboCacheTransactionCounts } from './transactions';
export type { JournalOptions, TurboCacheTransactionsOptions } from './transactions-options';
export { typeormTransactions, type TypeormDataSource } from './typeorm';
export { mikroOrmTransactions, type MikroOrm } from './mikro-orm';
export { prismaTransactions, type PrismaClientLike } from './prisma';
export type { TransactionSource } from './source';
export type { UnitOfWork } from './unit-of-work';
export type { Database, Execute } from './database';
export type { Eviction } from '../eviction/eviction';
