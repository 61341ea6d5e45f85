/**
 * The journal: evictions written into the database by the transaction that makes them due. A row is there if and only if the
 * commit succeeded, and until its evictions are made; what a process leaves behind when it dies is made by another one.
 */
import { randomUUID } from 'node:crypto';
import { ConfigurationError } from '../client';
import type { Database, Execute } from './database';
import type { CheckedJournalOptions } from './transactions-options';

/** What the database gives back for a row. */
export interface JournalRow {
  readonly id: string;
  readonly evictions: string;
}

/** As many as one statement names. */
const BATCH = 100;

export class Journal {
  /** Rows whose evictions are made; one statement at a time removes all there are. */
  readonly #done = new Set<string>();
  #removing: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly options: CheckedJournalOptions,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** At boot: the table is there, or is made, or the application does not start. */
  async prepare(): Promise<void> {
    const { table, createTable } = this.options;
    const { dialect, execute } = this.database;
    if (!POSTGRES.test(dialect)) throw unsupportedDialect(dialect);
    const look = (): Promise<unknown> => execute(`SELECT id FROM ${table} WHERE 1 = 0`, []);
    try {
      await look();
    } catch (cause) {
      if (!createTable) throw noTable(table, cause);
      // Two processes that start together may both try: the one that fails looks again.
      await execute(tableOf(table), []).catch(look);
    }
  }

  /** In the user's transaction, before its commit. */
  async mark(evictions: string, execute: Execute): Promise<string> {
    const { table, owner } = this.options;
    const id = randomUUID();
    await execute(`INSERT INTO ${table} (id, owner, evictions) VALUES ($1, $2, $3)`, [id, owner, evictions]);
    return id;
  }

  /** In the background: a row that stays is only applied once more. */
  done(id: string): void {
    this.#done.add(id);
    this.#removing ??= this.#remove();
  }

  /** Resolves when no row waits for its removal. */
  async settled(): Promise<void> {
    await this.#removing;
  }

  /**
   * Applies what was left behind for longer than the grace, by the clock of the database alone. Rows that another process
   * is just applying are passed over.
   *
   * @param apply Gives `true` when the row is not needed any more.
   * @returns The number of rows that were applied.
   */
  async sweep(apply: (row: JournalRow) => Promise<boolean>): Promise<number> {
    let swept = 0;
    for (;;) {
      const { found, applied } = await this.#sweepBatch(apply);
      swept += applied;
      if (found < this.options.batch || applied < found) return swept;
    }
  }

  #sweepBatch(apply: (row: JournalRow) => Promise<boolean>): Promise<{ found: number; applied: number }> {
    const { table, owner, grace, batch } = this.options;
    const age = `clock_timestamp() - CAST($2 AS double precision) * interval '1 millisecond'`;
    const select = `SELECT id, evictions FROM ${table} WHERE owner = $1 AND created_at <= ${age}
      ORDER BY created_at LIMIT ${batch} FOR UPDATE SKIP LOCKED`;
    return this.database.transaction(async (execute) => {
      const rows = (await execute(select, [owner, grace])) as JournalRow[];
      const results = await Promise.all(rows.map(apply));
      const applied = rows.filter((_, i) => results[i]).map(({ id }) => id);
      for (let i = 0; i < applied.length; i += BATCH) await this.#delete(applied.slice(i, i + BATCH), execute);
      return { found: rows.length, applied: applied.length };
    });
  }

  async #remove(): Promise<void> {
    // The ids of this turn travel together.
    await Promise.resolve();
    while (this.#done.size > 0) {
      const ids = [...this.#done].slice(0, BATCH);
      for (const id of ids) this.#done.delete(id);
      try {
        await this.#delete(ids, this.database.execute);
      } catch (error) {
        this.onError(error);
      }
    }
    this.#removing = undefined;
  }

  async #delete(ids: readonly string[], execute: Execute): Promise<void> {
    const places = ids.map((_, i) => `$${i + 1}`).join(', ');
    await execute(`DELETE FROM ${this.options.table} WHERE id IN (${places})`, ids);
  }
}

/** As the libraries call it: `postgres`, `postgresql`, `postgresql` of a platform. */
const POSTGRES = /^(?:postgres|postgresql)$/;

/** The statement for a migration. `clock_timestamp`, not `now`: a transaction may be old when it commits. */
export function tableOf(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  id text PRIMARY KEY,
  owner text NOT NULL,
  evictions text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
)`;
}

function noTable(table: string, cause: unknown): ConfigurationError {
  const expected = `\`journal.createTable: true\`, or this in a migration: ${tableOf(table)}`;
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `TurboCacheTransactionsModule: the table "${table}" of the journal cannot be read; expected ${expected}.`,
    { option: 'journal.table', got: table, expected, cause },
  );
}

function unsupportedDialect(dialect: string): ConfigurationError {
  const expected = 'a PostgreSQL, or `journal: false`';
  return new ConfigurationError(
    'E_TURBOCACHE_UNSUPPORTED',
    `TurboCacheTransactionsModule: option "journal": the database is "${dialect}"; expected ${expected}.`,
    { option: 'journal', got: dialect, expected },
  );
}
