import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const HOW_TO_INSTALL = `redis-server: not found. Install it and try again:
  Debian, Ubuntu   sudo apt-get install redis-server
  Fedora           sudo dnf install redis
  macOS            brew install redis
  or name another binary: REDIS_SERVER=/path/to/redis-server
Without Redis, the demo runs in memory only: leave REDIS=1 out.`;

/** A Redis server of the demo's own: free port, nothing saved, gone with the demo. */
export class RedisServer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    readonly url: string,
  ) {}

  static async start(): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'cities-redis-'));
    const port = await freePort();
    const options = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      directory,
    ];
    const child = spawn(process.env.REDIS_SERVER ?? 'redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
    const server = new RedisServer(child, directory, `redis://127.0.0.1:${port}`);
    try {
      await accepting(child);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async stop(): Promise<void> {
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await ended;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

function accepting(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let lastLine = '';
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error(HOW_TO_INSTALL) : error),
    );
    child.on('exit', (code) =>
      reject(new Error(`redis-server: ended with code ${code} before it accepted connections: ${lastLine}`)),
    );
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      lastLine = line;
      if (line.includes('Ready to accept connections')) resolve();
    });
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
