import { fileURLToPath } from 'node:url';
import type { INestApplicationContext } from '@nestjs/common';
import { CacheManager, type TurboCacheError } from 'turbocache-js';
import { TurboCacheModule, type TurboCacheModuleOptions } from 'turbocache-js/nest';
import {
  type JournalOptions,
  type TransactionSource,
  TurboCacheTransactions,
  TurboCacheTransactionsModule,
} from 'turbocache-js/transactions';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { start, stop } from '../../nest/fixture';
import { runFile } from '../../rig/processes';
import { type RedisServer, startRedis } from '../../rig/redis';
import { until } from '../../rig/until';
import { Gate, sql, TABLE } from './bank';
import { LIBRARIES, type Library } from './libraries';
import { type PostgresServer, startPostgres } from './postgres';

// What is written down in the transaction is there if it was committed, and until its evictions are made.

let postgres: PostgresServer;
let redis: RedisServer;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  await sql(postgres, TABLE);
  await sql(postgres, 'INSERT INTO account VALUES (1, 100)');
});
afterAll(async () => {
  await Promise.all([postgres.stop(), redis.stop()]);
});
beforeEach(() => sql(postgres, 'DROP TABLE IF EXISTS turbocache_evictions'));

const started = new Map<INestApplicationContext, Library>();
afterEach(async () => {
  // An application ends before the connection that it uses.
  for (const [app, library] of started) {
    started.delete(app);
    await stop(app);
    await library.close();
  }
});

const looks = vi.spyOn(TurboCacheTransactions.prototype, 'relay');
/** Resolves when the look at boot is over: what is written down from now on is there for who asks next. */
async function hasLooked(transactions: TurboCacheTransactions): Promise<void> {
  const first = (): number => looks.mock.contexts.indexOf(transactions);
  await until('it looks', () => first() >= 0);
  await Promise.allSettled([looks.mock.results[first()]!.value]);
}

interface Service {
  readonly library: Library;
  readonly cache: CacheManager;
  readonly transactions: TurboCacheTransactions;
  readonly errors: TurboCacheError[];
  stop(): Promise<void>;
}

async function service(
  name: keyof typeof LIBRARIES,
  journal: JournalOptions | false = {},
  options: TurboCacheModuleOptions = {},
): Promise<Service> {
  const library = await LIBRARIES[name](postgres.url);
  const errors: TurboCacheError[] = [];
  const booting = start({
    imports: [
      TurboCacheModule.forRoot({ namespace: 'bank', onError: (error) => void errors.push(error), ...options }),
      TurboCacheTransactionsModule.forRoot({
        source: library.source,
        journal: journal === false ? false : { createTable: true, every: '1h', ...journal },
      }),
    ],
  });
  const app = await booting.catch(async (error: unknown) => {
    await library.close();
    throw error;
  });
  started.set(app, library);
  if (journal !== false) await hasLooked(app.get(TurboCacheTransactions));
  const end = async () => {
    started.delete(app);
    await stop(app);
    await library.close();
  };
  return { library, cache: app.get(CacheManager), transactions: app.get(TurboCacheTransactions), errors, stop: end };
}

const rows = () => sql(postgres, 'SELECT id, owner, evictions FROM turbocache_evictions');
const leaveBehind = (evictions: unknown, owner = 'bank', age = '1 hour') =>
  sql(
    postgres,
    `INSERT INTO turbocache_evictions VALUES (gen_random_uuid()::text, $1, $2, clock_timestamp() - $3::interval)`,
    [owner, typeof evictions === 'string' ? evictions : JSON.stringify(evictions), age],
  );

describe.each(Object.keys(LIBRARIES) as (keyof typeof LIBRARIES)[])('%s', (name) => {
  it('writes a row with the commit, and removes it when the evictions are made', async () => {
    const { library, cache, transactions } = await service(name);
    await cache.set('account:1', 100);
    const seen: unknown[] = [];
    // Seen at the one moment at which it is committed, and not yet done: while the cache is asked to evict.
    const { delete: original } = cache;
    cache.delete = async (key) => {
      seen.push(...(await rows()));
      return original.call(cache, key);
    };
    await library.transaction(async ({ run }) => {
      await run('UPDATE account SET balance = balance + 1');
      await transactions.evictAfterCommit({ keys: ['account:1'] });
      await transactions.evictAfterCommit({ cache: 'users', tags: ['a', 'b'] });
      expect(await rows()).toEqual([]);
    });
    expect(seen).toMatchObject([{ owner: 'bank' }]);
    expect(JSON.parse((seen[0] as { evictions: string }).evictions)).toEqual([
      { keys: ['account:1'] },
      { cache: 'users', tags: ['a', 'b'] },
    ]);
    expect(await cache.get('account:1')).toBeUndefined();
    await until('the row is gone', async () => (await rows()).length === 0);
  });

  it('writes nothing for a rollback, a savepoint of its own, or a transaction without evictions', async () => {
    const { library, transactions, stop } = await service(name);
    const change = 'UPDATE account SET balance = balance + 1';
    await library.transaction(({ run }) => run(change));
    await library.transaction(async ({ nested }) => nested(({ run }) => run(change)));
    await expect(
      library.transaction(async ({ run }) => {
        await run(change);
        await transactions.evictAfterCommit({ keys: ['account:1'] });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await stop();
    expect(await rows()).toEqual([]);
  });

  it('a process that dies after its commit leaves a row, and another process makes its evictions', async () => {
    const { cache, transactions } = await service(
      name,
      { grace: 0 },
      { redis: { url: redis.url, commandTimeout: '10s' } },
    );
    await cache.ready();
    await cache.set('account:1', 100);
    await cache.set('page', 1, { tags: ['accounts'] });
    const before: number = (await sql(postgres, 'SELECT balance FROM account'))[0].balance;

    const program = fileURLToPath(new URL('dying-program.mjs', import.meta.url));
    const dying = runFile(program, { args: [name, postgres.url, redis.url] });
    await expect(dying.exit(30_000)).rejects.toThrow('did not end'); // ended by SIGKILL, its own
    expect((await sql(postgres, 'SELECT balance FROM account'))[0].balance).toBe(before + 5);
    // The loss that the journal is there for: committed, and everybody still reads the old value.
    expect(await cache.getMany(['account:1', 'page'])).toEqual([100, 1]);
    expect(await rows()).toHaveLength(1);

    expect(await transactions.relay()).toBe(1);
    expect(await cache.getMany(['account:1', 'page'])).toEqual([undefined, undefined]);
    expect(await rows()).toEqual([]);
    expect(transactions.stats()).toMatchObject({ relayed: 1, failed: 0 });
  });

  it('takes at boot what was left behind, if it is its own and older than the grace', async () => {
    await (await service(name)).stop();
    await leaveBehind([{ keys: ['a'] }]);
    await leaveBehind([{ cache: 'users', all: true }]);
    await leaveBehind([{ keys: ['a'] }], 'another shop');
    await leaveBehind([{ keys: ['a'] }], 'bank', '1 second');
    const { transactions } = await service(name);
    await until('two are taken', () => transactions.stats().relayed === 2);
    expect((await rows()).map(({ owner }) => owner).sort()).toEqual(['another shop', 'bank']);
  });
});

describe('the relay', () => {
  it('looks again and again', async () => {
    const { cache } = await service('TypeORM', { grace: 0, every: 20 });
    await cache.set('a', 1);
    await leaveBehind([{ keys: ['a'] }]);
    await until('it has looked', async () => (await rows()).length === 0);
    expect(await cache.get('a')).toBeUndefined();
  });

  it('takes many rows in batches', async () => {
    const { cache, transactions } = await service('TypeORM', { batch: 7 });
    await cache.set('last', 1);
    for (let i = 0; i < 20; i += 1) await leaveBehind([{ keys: [i === 19 ? 'last' : `key ${i}`] }]);
    expect(await transactions.relay()).toBe(20);
    expect(await cache.get('last')).toBeUndefined();
    expect(await rows()).toEqual([]);
  });

  it('passes over what another one is just applying', async () => {
    const [one, two] = [await service('TypeORM'), await service('Prisma')];
    await leaveBehind([{ keys: ['slow'] }]);
    const [asked, gate] = [new Gate(), new Gate()];
    const { delete: original } = one.cache;
    one.cache.delete = async (key) => {
      asked.open();
      await gate.opened;
      return original.call(one.cache, key);
    };
    const first = one.transactions.relay();
    await asked.opened;
    expect(await two.transactions.relay()).toBe(0);
    gate.open();
    expect(await first).toBe(1);
  });

  it('reports rows that make no sense, and removes them', async () => {
    const { cache, transactions, errors } = await service('TypeORM');
    await cache.set('a', 1);
    await leaveBehind('not json');
    await leaveBehind('{}');
    await leaveBehind([{ keys: [1] }]);
    await leaveBehind([{ keys: ['a'] }]);
    expect(await transactions.relay()).toBe(4);
    expect(await cache.get('a')).toBeUndefined();
    expect(errors).toHaveLength(3);
    expect(await rows()).toEqual([]);
  });

  it('keeps a row that the remote tier may not have heard of, and makes up for it', async () => {
    const { library, cache, transactions } = await service(
      'TypeORM',
      { grace: 0 },
      { redis: { url: redis.url, commandTimeout: 100 } },
    );
    await cache.ready();
    await cache.set('account:1', 100);
    await redis.kill('SIGSTOP');
    try {
      await library.transaction(async ({ run }) => {
        await run('UPDATE account SET balance = balance + 1');
        await transactions.evictAfterCommit({ keys: ['account:1'] });
      });
      expect(await rows()).toHaveLength(1);
      // While it is away there is no use in trying.
      await until('it is known to be away', async () => {
        await cache.get('anything');
        return cache.stats().remote.state !== 'up';
      });
      expect(await transactions.relay()).toBe(0);
    } finally {
      await redis.kill('SIGCONT');
    }
    await until('the row is taken', async () => {
      await cache.get('anything');
      await transactions.relay();
      return (await rows()).length === 0;
    });
    expect(await cache.get('account:1')).toBeUndefined();
  });

  it('reports a database that is away, and ends with the application', async () => {
    const { transactions, errors, stop } = await service('TypeORM', { every: 10 });
    await sql(postgres, 'DROP TABLE turbocache_evictions');
    await until('it is reported', () => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: 'E_TURBOCACHE_REMOTE' });
    await expect(transactions.relay()).rejects.toThrow('turbocache_evictions');
    await stop();
  });
});

describe('a journal that cannot work', () => {
  const failure = (starting: Promise<unknown>) => starting.then(String, (error: unknown) => error);

  it('fails the transaction, rather than promise what it cannot keep', async () => {
    const { library, transactions } = await service('TypeORM');
    await sql(postgres, 'DROP TABLE turbocache_evictions');
    const before = (await sql(postgres, 'SELECT balance FROM account'))[0].balance;
    const failing = library.transaction(async ({ run }) => {
      await run('UPDATE account SET balance = 0');
      await transactions.evictAfterCommit({ keys: ['account:1'] });
    });
    await expect(failing).rejects.toThrow('turbocache_evictions');
    expect((await sql(postgres, 'SELECT balance FROM account'))[0].balance).toBe(before);
    expect(transactions.stats()).toMatchObject({ applied: 0, dropped: 1 });
  });

  it('stops the boot when its table is missing, with the statement that makes it', async () => {
    const error = await failure(service('TypeORM', { createTable: false }));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'journal.table' });
    expect(String(error)).toContain('CREATE TABLE IF NOT EXISTS turbocache_evictions');
    const { expected } = error as TurboCacheError;
    await sql(postgres, expected!.slice(expected!.indexOf('CREATE')));
    await service('TypeORM', { createTable: false });
  });

  it('may be made by many processes at once', async () => {
    await Promise.all([1, 2, 3, 4].map((i) => service(i % 2 === 0 ? 'TypeORM' : 'MikroORM')));
    expect(await rows()).toEqual([]);
  });

  it.each<[string, object]>([
    ['journal.table', { table: 'a; DROP TABLE account' }],
    ['journal.grace', { grace: 'soon' }],
    ['journal.every', { every: 0 }],
    ['journal.batch', { batch: 0 }],
    ['journal.owner', { owner: 5 }],
    ['journal.createTable', { createTable: 'yes' }],
    ['journal.tabel', { tabel: 'x' }],
  ])('is refused at boot when %s is wrong', async (option, journal) => {
    expect(await failure(service('TypeORM', journal))).toMatchObject({ option });
  });

  it('is refused at boot in a database that it does not know', async () => {
    const elsewhere = { name: 'x', attach: () => () => {}, unitOf: () => undefined, database: { dialect: 'mysql' } };
    const boot = (from: object): Promise<unknown> =>
      start({
        imports: [
          TurboCacheModule.forRoot(),
          TurboCacheTransactionsModule.forRoot({ source: from as TransactionSource, journal: {} }),
        ],
      });
    expect(await failure(boot(elsewhere))).toMatchObject({ code: 'E_TURBOCACHE_UNSUPPORTED', option: 'journal' });
    expect(await failure(boot({}))).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'source' });
  });
});
