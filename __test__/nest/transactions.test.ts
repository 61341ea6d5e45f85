import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Get, Injectable, UseInterceptors } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { isObservable, lastValueFrom, Observable, of } from 'rxjs';
import { CacheManager } from 'turbocache-js';
import { TurboCacheLoader } from 'turbocache-js/graphql';
import {
  TurboCache,
  TurboCacheContext,
  TurboCacheEvict,
  TurboCacheInterceptor,
  TurboCacheMemo,
  TurboCacheModule,
  TurboCachePut,
} from 'turbocache-js/nest';
import {
  type Execute,
  type TransactionSource,
  TurboCacheTransactions,
  TurboCacheTransactionsModule,
  type UnitOfWork,
} from 'turbocache-js/transactions';
import { beforeEach, describe, expect, it } from 'vitest';
import { until } from '../rig/until';
import { start, track } from './fixture';

// What is read inside of a transaction stays in it. The database is a value, which each transaction has a copy of until it commits.

const nothing: Execute = () => Promise.resolve([]);

class Transaction {
  constructor(
    readonly unit: UnitOfWork,
    public row: string,
  ) {}
}

/** Like an ORM whose transactions are found by what runs in them. */
class Database {
  committed = 'old';
  /** In the order in which they were asked. */
  readonly reads: string[] = [];
  readonly #carried = new AsyncLocalStorage<Transaction>();
  #begin!: () => UnitOfWork;
  #transactions!: TurboCacheTransactions;

  readonly source: TransactionSource = {
    name: 'source of the tests',
    database: { dialect: 'none', execute: nothing, transaction: (work) => work(nothing) },
    attach: (begin) => {
      this.#begin = begin;
      return () => {};
    },
    unitOf: (handle) => (handle instanceof Transaction ? handle.unit : undefined),
  };

  carriedBy(transactions: TurboCacheTransactions): void {
    this.#transactions = transactions;
  }

  read(): string {
    const row = this.#carried.getStore()?.row ?? this.committed;
    this.reads.push(row);
    return row;
  }

  write(row: string): void {
    const transaction = this.#carried.getStore();
    if (transaction === undefined) this.committed = row;
    else transaction.row = row;
  }

  /** Inside of a transaction: a savepoint. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    const outer = this.#carried.getStore();
    const own = new Transaction(outer?.unit.nested() ?? this.#begin(), this.read());
    this.reads.pop();
    try {
      const result = await this.#carried.run(own, () => this.#transactions.within(own, work));
      await own.unit.committing(nothing);
      if (outer === undefined) this.committed = own.row;
      else outer.row = own.row;
      await own.unit.committed();
      return result;
    } catch (error) {
      own.unit.rolledBack();
      throw error;
    }
  }

  async rolledBack(work: () => Promise<unknown>): Promise<void> {
    const rollback = new Error('rolled back');
    const ended = this.transaction(async () => {
      await work();
      throw rollback;
    });
    await expect(ended).rejects.toBe(rollback);
  }
}

@Injectable()
class Rows {
  /** Runs between what a method reads and its end. */
  between: () => Promise<void> = () => Promise.resolve();

  constructor(private readonly database: Database) {}

  @TurboCache('row:#{0}')
  async plain(_id: number): Promise<string> {
    const row = this.database.read();
    await this.between();
    return row;
  }

  @TurboCache({ key: 'row:#{0}', condition: () => true })
  async conditional(_id: number): Promise<string> {
    return this.database.read();
  }

  @TurboCache('row:#{0}')
  observable(_id: number): Observable<string> {
    return of(this.database.read());
  }

  @TurboCache({ key: 'row:#{0}', returns: 'value' })
  value(_id: number): string {
    return this.database.read();
  }

  @TurboCacheMemo('memo')
  async memo(): Promise<string> {
    return this.database.read();
  }

  @TurboCacheEvict('row:#{0}')
  async change(_id: number, row: string): Promise<void> {
    this.database.write(row);
  }

  @TurboCachePut('row:#{0}')
  async put(_id: number, row: string): Promise<string> {
    this.database.write(row);
    await this.between();
    return row;
  }
}

let database: Database;
let rows: Rows;
let cache: CacheManager;
let transactions: TurboCacheTransactions;

beforeEach(async () => {
  database = new Database();
  const app = await start({
    imports: [TurboCacheModule.forRoot(), TurboCacheTransactionsModule.forRoot({ source: database.source })],
    providers: [{ provide: Database, useValue: database }, Rows],
  });
  rows = app.get(Rows);
  cache = app.get(CacheManager);
  transactions = app.get(TurboCacheTransactions);
  database.carriedBy(transactions);
});

const KINDS = ['plain', 'conditional', 'observable', 'value'] as const;

describe.each(KINDS)('a cached method (%s) inside of a transaction', (kind) => {
  const read = async (): Promise<string> => {
    const result: unknown = rows[kind](1);
    return (isObservable(result) ? lastValueFrom(result) : result) as Promise<string>;
  };

  it('sees what the transaction has written, evicted or not, while others get what was committed', async () => {
    await read();
    expect(await read()).toBe('old');
    await database.transaction(async () => {
      database.write('new');
      expect(await read()).toBe('new');
      await rows.change(1, 'newer');
      expect(await read()).toBe('newer');
      expect(await cache.get('row:1')).toBe('old');
    });
    expect(await read()).toBe('newer');
  });

  it('stores nothing: a rollback leaves nothing behind', async () => {
    await database.rolledBack(async () => {
      await rows.change(1, 'new');
      expect([await read(), await read()]).toEqual(['new', 'new']);
      expect(await cache.has('row:1')).toBe(false);
    });
    expect(await read()).toBe('old');
    expect(database.reads).toEqual(['new', 'new', 'old']);
  });

  it('stores nothing in a savepoint either, nor behind it', async () => {
    await database.transaction(async () => {
      await database.rolledBack(async () => {
        await rows.change(1, 'new');
        expect(await read()).toBe('new');
      });
      expect(await read()).toBe('old');
      expect(await cache.has('row:1')).toBe(false);
    });
  });

  it('is cached again when the transaction has ended, in what outlives it, too', async () => {
    const ended = signal();
    let late: Promise<string> | undefined;
    await database.transaction(async () => {
      late = ended.given.then(read);
      return Promise.resolve();
    });
    ended.give();
    expect(await late).toBe('old');
    expect(await cache.get('row:1')).toBe('old');
  });
});

describe('loads on both sides of a transaction', () => {
  it('nobody outside joins what is loaded inside', async () => {
    const [hasRead, mayEnd, mayRollBack] = [signal(), signal(), signal()];
    rows.between = () => {
      hasRead.give();
      return mayEnd.given;
    };
    const rolledBack = database.rolledBack(async () => {
      database.write('never committed');
      expect(await rows.plain(1)).toBe('never committed');
      await mayRollBack.given;
    });
    await hasRead.given;
    const outside = rows.plain(1);
    mayEnd.give();
    expect(await outside).toBe('old');
    mayRollBack.give();
    await rolledBack;
    expect(await rows.plain(1)).toBe('old');
  });

  it('nobody inside joins what is loaded outside', async () => {
    const [hasRead, mayEnd] = [signal(), signal()];
    rows.between = () => {
      hasRead.give();
      return mayEnd.given;
    };
    const outside = rows.plain(1);
    await hasRead.given;
    await database.transaction(async () => {
      await rows.change(1, 'new');
      const inside = rows.plain(1);
      mayEnd.give();
      expect([await inside, await outside]).toEqual(['new', 'old']);
    });
    expect(await rows.plain(1)).toBe('new');
  });

  it('what was loaded outside of it, and before its commit, does not outlive the commit', async () => {
    const [evicted, mayCommit] = [signal(), signal()];
    const committed = database.transaction(async () => {
      await rows.change(1, 'new');
      evicted.give();
      await mayCommit.given;
    });
    await evicted.given;
    expect(await rows.plain(1)).toBe('old');
    mayCommit.give();
    await committed;
    expect(await rows.plain(1)).toBe('new');
  });
});

describe('changes that outlive what they began in', () => {
  it('@TurboCachePut stores nothing when its transaction was rolled back meanwhile', async () => {
    const mayEnd = signal();
    rows.between = () => mayEnd.given;
    let late: Promise<string> | undefined;
    await database.rolledBack(async () => {
      late = rows.put(1, 'new');
      return Promise.resolve();
    });
    mayEnd.give();
    await late;
    expect(await cache.has('row:1')).toBe(false);
  });

  it('an eviction that outlives its savepoint waits for the transaction around it', async () => {
    await rows.plain(1);
    const savepointEnded = signal();
    let late: Promise<void> | undefined;
    await database.transaction(async () => {
      await database.transaction(async () => {
        late = savepointEnded.given.then(() => rows.change(1, 'new'));
        return Promise.resolve();
      });
      savepointEnded.give();
      await late;
      expect(await cache.get('row:1')).toBe('old');
    });
    expect(await cache.has('row:1')).toBe(false);
  });
});

it('@TurboCacheMemo keeps nothing for the request that may be rolled back, and gives nothing from before', async () => {
  await TurboCacheContext.run({}, async () => {
    expect(await rows.memo()).toBe('old');
    await database.rolledBack(async () => {
      database.write('new');
      expect(await rows.memo()).toBe('new');
    });
    expect(await rows.memo()).toBe('old');
  });
  expect(database.reads).toEqual(['old', 'new']);
});

it('a DataLoader of a transaction is its own, and what it loads is stored nowhere', async () => {
  const load = (ids: number[]): Promise<string[]> => {
    const row = database.read();
    return Promise.resolve(ids.map((id) => `${row} ${id}`));
  };
  const loader = new TurboCacheLoader(cache, { key: (id: number) => `row:${id}`, load });
  const request = {};
  expect(await loader.of(request).load(1)).toBe('old 1');
  await database.rolledBack(async () => {
    database.write('new');
    expect(await loader.of(request).loadMany([1, 2, 1])).toEqual(['new 1', 'new 2', 'new 1']);
  });
  expect(await cache.getMany(['row:1', 'row:2'])).toEqual(['old 1', undefined]);
  expect(await loader.of(request).loadMany([1, 2])).toEqual(['old 1', 'old 2']);
});

it('the interceptor neither answers from the cache nor stores for a request that is in a transaction', async () => {
  @Controller()
  @UseInterceptors(TurboCacheInterceptor)
  class Pages {
    @Get('page')
    page(): string {
      return database.read();
    }
  }
  const module = await Test.createTestingModule({
    imports: [TurboCacheModule.forRoot(), TurboCacheTransactionsModule.forRoot({ source: database.source })],
    controllers: [Pages],
  }).compile();
  const app = track(module.createNestApplication({ logger: false }));
  let inTransaction = false;
  app.use((_request: unknown, response: { once(event: 'finish', heard: () => void): void }, next: () => void) => {
    if (!inTransaction) {
      next();
      return;
    }
    void database.rolledBack(async () => {
      database.write('new');
      next();
      await new Promise<void>((resolve) => response.once('finish', resolve));
    });
  });
  await app.listen(0, '127.0.0.1');
  database.carriedBy(app.get(TurboCacheTransactions));
  const ask = async (): Promise<string> => (await fetch(`${await app.getUrl()}/page`)).text();

  inTransaction = true;
  expect(await ask()).toBe('new');
  inTransaction = false;
  expect([await ask(), await ask()]).toEqual(['old', 'old']);
  inTransaction = true;
  expect(await ask()).toBe('new');
  expect(database.reads).toEqual(['new', 'old', 'new']);
});

it('in an application of named managers only, the first of them is told of a journal that cannot be read', async () => {
  const told: string[] = [];
  const manager = (name: string) =>
    TurboCacheModule.forRoot({
      name,
      onError: ({ message }, { method }) => void told.push(`${name}: ${method}: ${message}`),
    });
  const transaction = () => Promise.reject(new Error('no connection'));
  const source = { ...database.source, database: { dialect: 'postgres', execute: nothing, transaction } };
  await start({
    imports: [
      manager('shop'),
      manager('sessions'),
      TurboCacheTransactionsModule.forRoot({ source, journal: { owner: 'shop', every: '1h' } }),
    ],
  });
  await until('it is told', () => told.length > 0);
  expect(told).toEqual([expect.stringMatching(/^shop: journal: .*no connection/)]);
});

interface Signal {
  readonly given: Promise<void>;
  give(): void;
}

function signal(): Signal {
  let give!: () => void;
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}
