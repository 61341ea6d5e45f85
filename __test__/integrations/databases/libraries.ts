/** The three libraries, TypeORM in both of its majors, each with what the tests do with all of them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { MikroORM, type EntityManager as MikroEntityManager } from '@mikro-orm/postgresql';
import { EntitySchema } from '@mikro-orm/core';
import { PrismaPg } from '@prisma/adapter-pg';
import { DataSource, type EntityManager } from 'typeorm';
import { DataSource as DataSource03, type EntityManager as EntityManager03 } from 'typeorm-0.3';
import {
  mikroOrmTransactions,
  prismaTransactions,
  type TransactionSource,
  type TypeormDataSource,
  typeormTransactions,
} from 'turbocache-js/transactions';
import { PrismaClient } from '../node_modules/.generated/prisma/client';
import type { Run } from './bank';

export interface Transaction {
  readonly run: Run;
  /** What a user of the library has in his hands. */
  readonly handle: object;
  /** A savepoint in it. */
  nested(work: (inner: Transaction) => Promise<unknown>): Promise<unknown>;
}

export interface Library {
  readonly source: TransactionSource;
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  query(text: string): Promise<any[]>;
  /** As a service reads that is given no handle: in the transaction it is called in, if there is one. */
  balance(id: number): Promise<number>;
  close(): Promise<unknown>;
}

function typeorm(url: string): Promise<Library> {
  return ofTypeorm<EntityManager>(new DataSource({ type: 'postgres', url }));
}

function typeorm03(url: string): Promise<Library> {
  return ofTypeorm<EntityManager03>(new DataSource03({ type: 'postgres', url }));
}

/** What the tests use is the same in both majors. */
interface TypeormManager<Self> {
  query(text: string): Promise<any>;
  transaction<T>(work: (manager: Self) => Promise<T>): Promise<T>;
}

interface TypeormDatabase<Manager> extends TypeormDataSource {
  readonly manager: Manager & object;
  initialize(): Promise<unknown>;
  query(text: string): Promise<any>;
  transaction<T>(work: (manager: Manager) => Promise<T>): Promise<T>;
  destroy(): Promise<void>;
}

async function ofTypeorm<Manager extends TypeormManager<Manager>>(
  dataSource: TypeormDatabase<Manager>,
): Promise<Library> {
  await dataSource.initialize();
  // The library does not carry its transactions; packages around it do it like this.
  const carried = new AsyncLocalStorage<Manager>();
  const of = (manager: Manager): Transaction => ({
    run: (text) => manager.query(text),
    handle: manager,
    nested: (work) => manager.transaction((inner) => work(of(inner))),
  });
  return {
    source: typeormTransactions(dataSource),
    transaction: (work) => dataSource.transaction((manager) => carried.run(manager, () => work(of(manager)))),
    query: (text) => dataSource.query(text),
    balance: async (id) => {
      const manager = carried.getStore() ?? dataSource.manager;
      return (await manager.query(`SELECT balance FROM account WHERE id = ${id}`))[0].balance;
    },
    close: () => dataSource.destroy(),
  };
}

async function mikroOrm(clientUrl: string): Promise<Library> {
  const account = new EntitySchema({
    name: 'Account',
    tableName: 'account',
    properties: { id: { type: 'integer', primary: true }, balance: { type: 'integer' } },
  });
  const orm = await MikroORM.init({ clientUrl, entities: [account], allowGlobalContext: true });
  const of = (em: MikroEntityManager): Transaction => ({
    run: (text) => em.execute(text),
    handle: em,
    nested: (work) => em.transactional((inner) => work(of(inner))),
  });
  return {
    source: mikroOrmTransactions(orm),
    transaction: (work) => orm.em.transactional((em) => work(of(em))),
    query: (text) => orm.em.getConnection().execute(text),
    // The injected entity manager finds the transaction by itself.
    balance: async (id) => (await orm.em.findOneOrFail(account, { id }, { disableIdentityMap: true })).balance,
    close: () => orm.close(),
  };
}

async function prisma(connectionString: string): Promise<Library> {
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString }) });
  type Tx = Pick<PrismaClient, '$executeRawUnsafe' | 'account'>;
  const carried = new AsyncLocalStorage<Tx>();
  const of = (tx: Tx): Transaction => ({
    run: (text) => tx.$executeRawUnsafe(text),
    handle: tx,
    nested: (work) => (tx as PrismaClient).$transaction((inner) => work(of(inner))),
  });
  return {
    source: prismaTransactions(client),
    transaction: (work) => client.$transaction((tx) => carried.run(tx, () => work(of(tx)))),
    query: (text) => client.$queryRawUnsafe(text),
    balance: async (id) => (await (carried.getStore() ?? client).account.findUniqueOrThrow({ where: { id } })).balance,
    close: () => client.$disconnect(),
  };
}

export const LIBRARIES = { TypeORM: typeorm, 'TypeORM 0.3': typeorm03, MikroORM: mikroOrm, Prisma: prisma };
