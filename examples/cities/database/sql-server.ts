import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { PGlite } from '@electric-sql/pglite';
import type { SqlAnswer, SqlRequest } from './sql-protocol';

/** Serves the database on a free port of the loopback interface; resolves to the port. */
export async function serveSql(database: PGlite): Promise<number> {
  const server = createServer((socket) => serveConnection(database, socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function serveConnection(database: PGlite, socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy()); // the client has gone; its queries have nobody to answer to
  createInterface({ input: socket }).on('line', (line) => {
    void answer(database, JSON.parse(line) as SqlRequest).then((result) => socket.write(`${JSON.stringify(result)}\n`));
  });
}

async function answer(database: PGlite, { id, sql, parameters }: SqlRequest): Promise<SqlAnswer> {
  try {
    const { rows } = await database.query(sql, [...parameters]);
    return { id, rows };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}
