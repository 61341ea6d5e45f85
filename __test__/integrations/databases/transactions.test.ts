import { EventEmitter2, EventEmitterModule } from '@nestjs/event-emitter';
import { CacheManager } from 'turbocache-js';
import { TurboCacheEventsModule } from 'turbocache-js/events';
import { TurboCacheModule } from 'turbocache-js/nest';
import { TurboCacheTransactions, TurboCacheTransactionsModule } from 'turbocache-js/transactions';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { start, stop } from '../../nest/fixture';
import { Accounts, Gate, sql, TABLE } from './bank';
import { LIBRARIES, type Library } from './libraries';
import { type PostgresServer, startPostgres } from './postgres';

// What a transaction changes is dropped when, and only when, the change can be seen by others; what it reads is seen by nobody else.

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
  await sql(postgres, TABLE);
});
afterAll(() => postgres.stop());

describe.each(Object.entries(LIBRARIES))('%s', (_, open) => {
  let library: Library;
  let accounts: Accounts;
  let cache: CacheManager;
  let transactions: TurboCacheTransactions;
  let emitter: EventEmitter2;
  let end: () => Promise<void>;

  beforeAll(async () => {
    library = await open(postgres.url);
  });
  afterAll(async () => void (await library.close()));

  beforeEach(async () => {
    await sql(postgres, 'TRUNCATE account');
    await sql(postgres, 'INSERT INTO account VALUES (1, 100), (2, 200)');
    const app = await start({
      imports: [
        TurboCacheModule.forRoot(),
        TurboCacheTransactionsModule.forRootAsync({ useFactory: () => ({ source: library.source }) }),
        EventEmitterModule.forRoot(),
        TurboCacheEventsModule.forRoot({ events: { 'account.closed': 'account:#{payload.id}' } }),
      ],
      providers: [Accounts],
    });
    accounts = app.get(Accounts);
    accounts.read = (id) => library.balance(id);
    cache = app.get(CacheManager);
    transactions = app.get(TurboCacheTransactions);
    emitter = app.get(EventEmitter2);
    end = () => stop(app);
    expect(await accounts.balance(1)).toBe(100);
  });

  it('a decorated eviction waits for the commit', async () => {
    await library.transaction(async ({ run }) => {
      await accounts.deposit(run, 1, 5);
      // Others still see the old balance, and so does the cache.
      expect((await library.query('SELECT balance FROM account WHERE id = 1'))[0].balance).toBe(100);
      expect(await cache.get('account:1')).toBe(100);
      expect(transactions.stats().applied).toBe(0);
    });
    expect(await accounts.balance(1)).toBe(105);
    expect(transactions.stats()).toEqual({ applied: 2, dropped: 0, failed: 0, relayed: 0 });
  });

  it('what others have read and cached before the commit is dropped with it', async () => {
    const [evicted, mayCommit] = [new Gate(), new Gate()];
    const committed = library.transaction(async ({ run }) => {
      await accounts.deposit(run, 2, 5);
      evicted.open();
      await mayCommit.opened;
    });
    await evicted.opened;
    const seen = [await accounts.balance(2), await cache.get('account:2')];
    mayCommit.open();
    await committed;
    expect(seen).toEqual([200, 200]);
    expect(await accounts.balance(2)).toBe(205);
  });

  it('a cached method that is called inside sees what the transaction has written, evicted or not', async () => {
    await library.transaction(async ({ run, nested }) => {
      await run('UPDATE account SET balance = 7 WHERE id = 1');
      expect(await accounts.balance(1)).toBe(7);
      await accounts.deposit(run, 1, 1);
      expect(await accounts.balance(1)).toBe(8);
      await nested(async (inner) => {
        await inner.run('UPDATE account SET balance = 9 WHERE id = 1');
        expect(await cache.get('account:1')).toBe(100);
      });
    });
    expect(await cache.has('account:1')).toBe(false);
    expect(await accounts.balance(1)).toBe(9);
  });

  it('it stores nothing, so a rollback leaves nothing behind', async () => {
    const failing = library.transaction(async ({ run }) => {
      await accounts.deposit(run, 2, 5);
      expect([await accounts.balance(2), await accounts.balance(2)]).toEqual([205, 205]);
      throw new Error('no money');
    });
    await expect(failing).rejects.toThrow('no money');
    expect(await cache.has('account:2')).toBe(false);
    expect(await accounts.balance(2)).toBe(200);
  });

  it('it stores nothing that is committed either: the next read does', async () => {
    await library.transaction(async ({ run }) => {
      await run('UPDATE account SET balance = 205 WHERE id = 2');
      expect(await accounts.balance(2)).toBe(205);
    });
    expect(await cache.has('account:2')).toBe(false);
    expect(await accounts.balance(2)).toBe(205);
    expect(await cache.get('account:2')).toBe(205);
  });

  it('nobody outside joins its load', async () => {
    const [hasRead, mayEnd, mayRollBack] = [new Gate(), new Gate(), new Gate()];
    accounts.read = async (id) => {
      const balance = await library.balance(id);
      hasRead.open();
      await mayEnd.opened;
      return balance;
    };
    const failing = library.transaction(async ({ run }) => {
      await accounts.deposit(run, 2, 5);
      const inside = await accounts.balance(2);
      await mayRollBack.opened;
      throw new Error(`no money, ${inside}`);
    });
    await hasRead.opened;
    const outside = accounts.balance(2);
    mayEnd.open();
    const seen = await outside;
    mayRollBack.open();
    await expect(failing).rejects.toThrow('no money, 205');
    expect(seen).toBe(200);
    expect(await accounts.balance(2)).toBe(200);
  });

  it('it joins no load that began outside', async () => {
    const [hasRead, mayEnd] = [new Gate(), new Gate()];
    accounts.read = async (id) => {
      const balance = await library.balance(id);
      hasRead.open();
      await mayEnd.opened;
      return balance;
    };
    const outside = accounts.balance(2);
    await hasRead.opened;
    await library.transaction(async ({ run }) => {
      await accounts.deposit(run, 2, 5);
      const inside = accounts.balance(2);
      mayEnd.open();
      expect([await inside, await outside]).toEqual([205, 200]);
    });
    expect(await accounts.balance(2)).toBe(205);
  });

  it('a rollback forgets it', async () => {
    const failing = library.transaction(async ({ run }) => {
      await accounts.deposit(run, 1, 5);
      throw new Error('no money');
    });
    await expect(failing).rejects.toThrow('no money');
    expect(await accounts.balance(1)).toBe(100);
    expect(accounts.reads).toBe(1);
    expect(transactions.stats()).toMatchObject({ applied: 0, dropped: 2 });
  });

  it('what @TurboCachePut would store is stored by the next read after the commit', async () => {
    await library
      .transaction(async ({ run }) => {
        expect(await accounts.set(run, 1, 7)).toBe(7);
        expect(await accounts.balance(1)).toBe(7);
        expect(await cache.get('account:1')).toBe(100);
        throw new Error('no');
      })
      .catch(() => {});
    expect(await accounts.balance(1)).toBe(100);
    await library.transaction(({ run }) => accounts.set(run, 1, 7));
    expect(await cache.get('account:1')).toBeUndefined();
    expect(await accounts.balance(1)).toBe(7);
  });

  it('evictAfterCommit does the same by hand, with keys, tags, everything, and any cache', async () => {
    const users = cache.cache('users');
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key, tags: [`tag ${key}`] })));
    await users.set('u', 1);
    await library.transaction(async ({ run }) => {
      await run('UPDATE account SET balance = 0');
      await transactions.evictAfterCommit({ keys: ['a'], tags: ['tag b'] });
      await transactions.evictAfterCommit({ cache: 'users', all: true });
      expect(await cache.getMany(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
    });
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, 'c']);
    expect(await users.get('u')).toBeUndefined();
  });

  it('without a transaction it evicts at once', async () => {
    await transactions.evictAfterCommit({ keys: ['account:1'] });
    expect(await accounts.balance(1)).toBe(100);
    expect(accounts.reads).toBe(2);
    await accounts.deposit((text) => library.query(text), 1, 5);
    expect(await accounts.balance(1)).toBe(105);
  });

  it('a domain event that is emitted inside waits, too', async () => {
    await library.transaction(async ({ run }) => {
      await run('UPDATE account SET balance = 0 WHERE id = 1');
      await emitter.emitAsync('account.closed', { id: 1 });
      expect(await cache.get('account:1')).toBe(100);
    });
    expect(await accounts.balance(1)).toBe(0);
  });

  it('what a savepoint rolls back is forgotten, the rest is not', async () => {
    await cache.setMany(['kept', 'dropped'].map((key) => ({ key, value: key })));
    await library.transaction(async ({ run, nested }) => {
      await nested(async (inner) => {
        await accounts.deposit(inner.run, 1, 1);
        await transactions.evictAfterCommit({ keys: ['kept'] });
      });
      expect(await cache.get('kept')).toBe('kept');
      await nested(async (inner) => {
        await accounts.deposit(inner.run, 1, 1_000);
        await transactions.evictAfterCommit({ keys: ['dropped'] });
        throw new Error('not this one');
      }).catch(() => {});
      await accounts.deposit(run, 1, 1);
    });
    expect(await cache.getMany(['kept', 'dropped'])).toEqual([undefined, 'dropped']);
    expect(await accounts.balance(1)).toBe(102);
  });

  it('two transactions at a time do not meet', async () => {
    expect(await accounts.balance(2)).toBe(200);
    const gate = new Gate();
    const slow = library.transaction(async ({ run }) => {
      await accounts.deposit(run, 1, 5);
      await gate.opened;
    });
    await library.transaction(({ run }) => accounts.deposit(run, 2, 5));
    expect(await accounts.balance(2)).toBe(205);
    expect(await accounts.balance(1)).toBe(100);
    gate.open();
    await slow;
    expect(await accounts.balance(1)).toBe(105);
  });

  it('the handle names the transaction where the call cannot find it', async () => {
    const later: (() => Promise<void>)[] = [];
    // Work that is called from elsewhere, as from a queue, knows nothing of who asked for it.
    const worker = setInterval(() => void later.shift()?.(), 1);
    const elsewhere = (work: () => Promise<void>) =>
      new Promise<void>((resolve, reject) => later.push(() => work().then(resolve, reject)));
    await library.transaction(async ({ run, handle }) => {
      await run('UPDATE account SET balance = 7 WHERE id = 1');
      await elsewhere(() => transactions.evictAfterCommit({ keys: ['account:1'] }, handle));
      expect(await cache.get('account:1')).toBe(100);
    });
    clearInterval(worker);
    expect(await accounts.balance(1)).toBe(7);
  });

  it('within() lends decorated methods the transaction of a handle', async () => {
    const later: (() => Promise<void>)[] = [];
    const worker = setInterval(() => void later.shift()?.(), 1);
    await library.transaction(async ({ run, handle }) => {
      const work = () => transactions.within(handle, () => accounts.deposit(run, 1, 5));
      await new Promise<void>((resolve, reject) => later.push(() => work().then(resolve, reject)));
      expect(await cache.get('account:1')).toBe(100);
    });
    clearInterval(worker);
    expect(await accounts.balance(1)).toBe(105);
  });

  it('work that outlives its transaction evicts at once', async () => {
    const gate = new Gate();
    let late: Promise<void> | undefined;
    await library.transaction(async ({ run }) => {
      await run('UPDATE account SET balance = 9 WHERE id = 1');
      late = gate.opened.then(() => transactions.evictAfterCommit({ keys: ['account:1'] }));
    });
    expect(await accounts.balance(1)).toBe(100);
    gate.open();
    await late;
    expect(await accounts.balance(1)).toBe(9);
  });

  it('a commit that fails evicts rather too much', async () => {
    await sql(postgres, 'CREATE TABLE owner (id integer PRIMARY KEY)');
    await sql(postgres, 'CREATE TABLE owned (id integer REFERENCES owner (id) DEFERRABLE INITIALLY DEFERRED)');
    const failing = library.transaction(async ({ run }) => {
      await run('INSERT INTO owned VALUES (1)');
      await accounts.deposit(run, 1, 5);
    });
    await expect(failing).rejects.toThrow();
    await sql(postgres, 'DROP TABLE owned, owner');
    expect(await accounts.balance(1)).toBe(100);
    expect(accounts.reads).toBe(2);
  });

  it('wrong evictions and foreign handles are refused', async () => {
    const refused = (work: Promise<void>) => work.catch((error: unknown) => error);
    const evict = (eviction: object, handle?: object) => refused(transactions.evictAfterCommit(eviction, handle));
    expect(await evict({})).toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT' });
    expect(await evict({ keys: 'a' })).toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option: 'keys' });
    expect(await evict({ keys: ['a'] }, {})).toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option: 'handle' });
    expect(() => transactions.within({}, () => 1)).toThrow(expect.objectContaining({ option: 'handle' }));
  });

  it('after the application has ended the library works as before', async () => {
    await end();
    await library.transaction(({ run }) => run('UPDATE account SET balance = 3 WHERE id = 1'));
    expect((await sql(postgres, 'SELECT balance FROM account WHERE id = 1'))[0].balance).toBe(3);
  });
});
