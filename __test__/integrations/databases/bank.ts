/** What the tests have in common: a table with accounts, a cached service over it, and a Redis between the processes. */
import { Injectable } from '@nestjs/common';
import { TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import type { PostgresServer } from './postgres';
import { Client } from 'pg';

export const TABLE = 'CREATE TABLE account (id integer PRIMARY KEY, balance integer NOT NULL)';

/** SQL on a connection of its own, beside all libraries. */
export async function sql(postgres: PostgresServer, text: string, values: unknown[] = []): Promise<any[]> {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Runs a statement in the transaction of the call, whichever library that is. */
export type Run = (text: string) => Promise<unknown>;

/** Accounts as a service has them: reads are cached, changes evict. */
@Injectable()
export class Accounts {
  reads = 0;
  run!: Run;
  read!: (id: number) => Promise<number>;

  @TurboCache({ key: 'account:#{id}', ttl: '1h' })
  async balance(id: number): Promise<number> {
    this.reads += 1;
    return this.read(id);
  }

  @TurboCachePut('account:#{id}')
  async set(run: Run, id: number, balance: number): Promise<number> {
    await run(`UPDATE account SET balance = ${balance} WHERE id = ${id}`);
    return balance;
  }

  @TurboCacheEvict({ key: 'account:#{id}', tags: ['accounts'] })
  async deposit(run: Run, id: number, amount: number): Promise<void> {
    await run(`UPDATE account SET balance = balance + ${amount} WHERE id = ${id}`);
  }
}

/** Somebody waits until somebody else opens. */
export class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}
