import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 10_000;
const BLOCK = 100;
const BLOCKS = 220;

let turn = 0;

/**
 * A port of 127.0.0.1 that was free a moment ago. It lies below those that the system gives to whoever names none, and each process
 * takes from a block of its own: so nobody else takes it before it is used, nor while the server that has it is down.
 */
export async function freePort(): Promise<number> {
  const block = FIRST + (process.pid % BLOCKS) * BLOCK;
  for (let tried = 0; tried < BLOCK; tried++) {
    const port = block + (turn++ % BLOCK);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${block} to ${block + BLOCK - 1} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
