import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { SqlAnswer, SqlRequest, SqlValue } from '../database/sql-protocol';

interface Waiting {
  resolve: (rows: unknown[]) => void;
  reject: (error: Error) => void;
}

/** What runs statements: the database, or a transaction in it. */
export interface Statements {
  query<Row>(sql: string, parameters?: readonly SqlValue[]): Promise<Row[]>;
}

/** Told how a transaction goes, in time to do something about it. */
export interface TransactionWatch {
  began(transaction: Statements): void;
  committing(transaction: Statements): Promise<void>;
  committed(transaction: Statements): Promise<void>;
  rolledBack(transaction: Statements): void;
}

/** Token of a second connection, see `favourites/database-transactions.ts`. */
export const JOURNAL = Symbol('journal');

/** The service's connection to the database process. */
export class Database implements Statements, OnApplicationShutdown {
  /** See `favourites/database-transactions.ts`. */
  watch: TransactionWatch | undefined;
  /** So many have been asked for; those of transactions count, too. */
  statements = 0;
  private readonly waiting = new Map<number, Waiting>();
  private readonly answers: Interface;
  private lastId = 0;

  private constructor(
    private readonly socket: Socket,
    private readonly port: number,
  ) {
    this.answers = createInterface({ input: socket }).on('line', (line) => this.settle(JSON.parse(line) as SqlAnswer));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('database: the connection was closed')));
  }

  static async connect(port: number): Promise<Database> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Database(socket, port);
  }

  query<Row>(sql: string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    this.statements += 1;
    return new Promise((resolve, reject) => {
      const request: SqlRequest = { id: ++this.lastId, sql, parameters };
      this.waiting.set(request.id, { resolve: (rows) => resolve(rows as Row[]), reject });
      this.socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** On a connection of its own. Commits what `work` has done, or rolls it back if that fails. */
  async transaction<T>(work: (transaction: Statements) => Promise<T>): Promise<T> {
    const own = await Database.connect(this.port);
    try {
      await own.query('begin');
      this.watch?.began(own);
      const result = await work(own);
      await this.watch?.committing(own);
      await own.query('commit');
      await this.watch?.committed(own);
      return result;
    } catch (error) {
      await own.query('rollback');
      this.watch?.rolledBack(own);
      throw error;
    } finally {
      this.statements += own.statements;
      own.socket.destroy();
    }
  }

  /** After the HTTP server has closed, and after the last answer. */
  async onApplicationShutdown(): Promise<void> {
    while (this.waiting.size > 0) await Promise.race([once(this.answers, 'line'), once(this.answers, 'close')]);
    this.socket.destroy();
  }

  private settle(answer: SqlAnswer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if ('rows' in answer) waiting?.resolve(answer.rows);
    else waiting?.reject(new Error(`database: ${answer.error}`));
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
