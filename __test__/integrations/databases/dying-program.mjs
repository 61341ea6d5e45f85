/**
 * A service that dies between its commit and its evictions: `node dying-program.mjs <library> <postgres> <redis>`. It shares its
 * cache with the test over Redis, commits a deposit, and kills itself in the first moment after the commit.
 */
import 'reflect-metadata';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

// The built package, as the repository has it: this folder is a package of its own.
const require = createRequire(fileURLToPath(new URL('../../../package.json', import.meta.url)));
const { NestFactory } = require('@nestjs/core');
const { Module } = require('@nestjs/common');
const { CacheManager } = require('turbocache-js');
const { TurboCacheModule } = require('turbocache-js/nest');
const transactions = require('turbocache-js/transactions');

const [library, postgres, redis] = process.argv.slice(2);
const die = () => process.kill(process.pid, 'SIGKILL');

const LIBRARIES = {
  TypeORM: async () => ofTypeorm(await import('typeorm')),
  'TypeORM 0.3': async () => ofTypeorm(await import('typeorm-0.3')),

  async MikroORM() {
    const { MikroORM, EntitySchema } = await import('@mikro-orm/postgresql');
    const account = new EntitySchema({
      name: 'Account',
      tableName: 'account',
      properties: { id: { type: 'integer', primary: true }, balance: { type: 'integer' } },
    });
    const orm = await MikroORM.init({ clientUrl: postgres, entities: [account], allowGlobalContext: true });
    let victim;
    orm.em.getEventManager().registerSubscriber({ afterTransactionCommit: ({ em }) => em === victim && die() });
    return {
      source: transactions.mikroOrmTransactions(orm),
      work: (evict) =>
        orm.em.transactional(async (em) => {
          victim = em;
          await em.execute('UPDATE account SET balance = balance + 5 WHERE id = 1');
          await evict();
        }),
    };
  },

  async Prisma() {
    const { PrismaPg } = await import('@prisma/adapter-pg');
    const { default: generated } = await import('../node_modules/.generated/prisma/client.js');
    const client = new generated.PrismaClient({ adapter: new PrismaPg({ connectionString: postgres }) });
    // Prisma tells nobody of its commit: what it calls to commit is where death waits.
    const { $transaction: original } = client;
    let armed = false;
    client.$transaction = function (...args) {
      const done = original.apply(this, args);
      return armed ? done.then(die) : done;
    };
    return {
      source: transactions.prismaTransactions(client),
      work: (evict) => {
        armed = true;
        return client.$transaction(async (tx) => {
          await tx.$executeRawUnsafe('UPDATE account SET balance = balance + 5 WHERE id = 1');
          await evict();
        });
      },
    };
  },
};

const { source, work } = await LIBRARIES[library]();
class App {}
Module({
  imports: [
    TurboCacheModule.forRoot({ namespace: 'bank', redis: { url: redis } }),
    transactions.TurboCacheTransactionsModule.forRoot({ source, journal: { createTable: true } }),
  ],
})(App);
const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
await app.get(CacheManager).ready();
const service = app.get(transactions.TurboCacheTransactions);
await work(() => service.evictAfterCommit({ keys: ['account:1'], tags: ['accounts'] }));
console.log('survived');

async function ofTypeorm({ DataSource }) {
  const dataSource = await new DataSource({ type: 'postgres', url: postgres }).initialize();
  let victim;
  // Heard before the subscriber of the package. The relay has transactions, too: they live.
  dataSource.subscribers.unshift({ afterTransactionCommit: ({ queryRunner }) => queryRunner === victim && die() });
  return {
    source: transactions.typeormTransactions(dataSource),
    work: (evict) =>
      dataSource.transaction(async (manager) => {
        victim = manager.queryRunner;
        await manager.query('UPDATE account SET balance = balance + 5 WHERE id = 1');
        await evict();
      }),
  };
}
