import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { PGlite, Transaction } from '@electric-sql/pglite';
import type { SqlAnswer, SqlRequest, SqlValue } from './sql-protocol';

/** Serves the database on a free port of the loopback interface; resolves to the port. */
export async function serveSql(database: PGlite): Promise<number> {
  const server = createServer((socket) => serveConnection(database, socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function serveConnection(database: PGlite, socket: Socket): void {
  const session = new Session(database);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy()); // the client has gone; its queries have nobody to answer to
  socket.on('close', () => void session.end('rollback').catch(() => undefined)); // nor has its transaction
  createInterface({ input: socket }).on('line', (line) => {
    void answer(session, JSON.parse(line) as SqlRequest).then((result) => socket.write(`${JSON.stringify(result)}\n`));
  });
}

async function answer(session: Session, { id, sql, parameters }: SqlRequest): Promise<SqlAnswer> {
  try {
    return { id, rows: await session.run(sql, parameters) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

type Ending = 'commit' | 'rollback';

/** One connection: outside a transaction, or in one, while which all others wait. PGlite has a single session for everybody. */
class Session {
  private transaction: Transaction | undefined;
  private endTransaction: (ending: Ending) => void = () => undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(private readonly database: PGlite) {}

  async run(sql: string, parameters: readonly SqlValue[]): Promise<unknown[]> {
    if (sql === 'begin') await this.begin();
    else if (sql === 'commit' || sql === 'rollback') await this.end(sql);
    else return (await (this.transaction ?? this.database).query(sql, [...parameters])).rows;
    return [];
  }

  async end(ending: Ending): Promise<void> {
    this.endTransaction(ending);
    await this.ended;
  }

  private begin(): Promise<void> {
    return new Promise((begun, failed) => {
      this.ended = this.database
        .transaction(async (transaction) => {
          this.transaction = transaction;
          const ending = new Promise<Ending>((resolve) => (this.endTransaction = resolve));
          begun();
          if ((await ending) === 'rollback') await transaction.rollback();
        })
        .finally(() => (this.transaction = undefined));
      this.ended.catch(failed);
    });
  }
}
