import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { SqlAnswer, SqlRequest, SqlValue } from '../database/sql-protocol';

interface Waiting {
  resolve: (rows: unknown[]) => void;
  reject: (error: Error) => void;
}

/** The service's connection to the database process. */
export class Database implements OnApplicationShutdown {
  private readonly waiting = new Map<number, Waiting>();
  private readonly answers: Interface;
  private lastId = 0;

  private constructor(private readonly socket: Socket) {
    this.answers = createInterface({ input: socket }).on('line', (line) => this.settle(JSON.parse(line) as SqlAnswer));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('database: the connection was closed')));
  }

  static async connect(port: number): Promise<Database> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Database(socket);
  }

  query<Row>(sql: string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      const request: SqlRequest = { id: ++this.lastId, sql, parameters };
      this.waiting.set(request.id, { resolve: (rows) => resolve(rows as Row[]), reject });
      this.socket.write(`${JSON.stringify(request)}\n`);
    });
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
