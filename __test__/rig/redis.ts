/**
 * A redis-server of one's own: free port, empty temporary folder, nothing written to disk.
 *
 *     const redis = await startRedis();
 *     afterAll(() => redis.stop());
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './port';
import { RespConnection, type Reply } from './resp';

export interface RedisOptions {
  /** Further arguments of the server, e.g. `['--maxmemory', '1mb']`. */
  args?: readonly string[];
}

export async function startRedis({ args = [] }: RedisOptions = {}): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new RedisServer(await freePort(), args);
    try {
      await server.start();
      return server;
    } catch (cause) {
      await server.stop();
      // Between our look and its start somebody else may take the port.
      const portWasTaken = String(cause).includes('Address already in use');
      if (!portWasTaken || attempt === 5) throw cause;
    }
  }
}

export class RedisServer {
  readonly #args: readonly string[];
  readonly #folder = mkdtempSync(path.join(process.env['TURBOCACHE_TEST_DIR'] ?? tmpdir(), 'redis-'));
  #process: ChildProcess | undefined;
  #connection: RespConnection | undefined;

  constructor(
    readonly port: number,
    args: readonly string[],
    /** A Sentinel needs one, which it rewrites. */
    private readonly configuration?: string,
  ) {
    this.#args = args;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when the server answers. */
  async start(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1'];
    const fixed =
      this.configuration === undefined
        ? [...place, '--save', '', '--appendonly', 'no']
        : [this.configuration, ...place];
    const child = spawn('redis-server', [...fixed, '--dir', this.#folder, ...this.#args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    if (child.pid !== undefined) writeFileSync(`${this.#folder}.pid`, String(child.pid));
    process.once('exit', this.#killOnExit);
    await announcedReady(child);
    await this.cli('PING');
  }

  /** One command, as `redis-cli` would run it. Bulk strings come back as latin1. */
  async cli(...words: readonly (string | Buffer | number)[]): Promise<Reply> {
    if (this.#connection === undefined || this.#connection.socket.destroyed) {
      this.#connection = await RespConnection.open(this.port);
    }
    return this.#connection.command(...words);
  }

  /** `SIGKILL` is a crash, `SIGSTOP` a freeze, `SIGCONT` its end. Resolves when a crash has happened. */
  async kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || hasEnded(child)) return;
    child.kill(signal);
    if (signal === 'SIGKILL') await once(child, 'exit');
  }

  /** Ends the process if it runs and starts a new, empty one on the same port. */
  async restart(): Promise<void> {
    await this.#end();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(`${this.#folder}.pid`, { force: true });
  }

  async #end(): Promise<void> {
    this.#connection?.close();
    this.#connection = undefined;
    await this.kill('SIGKILL');
    process.off('exit', this.#killOnExit);
  }

  readonly #killOnExit = (): void => void this.#process?.kill('SIGKILL');
}

function announcedReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const log: string[] = [];
    const fail = (why: string): void => reject(new Error(`redis-server ${why}\n${log.join('\n')}`));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        if (log.length < 200) log.push(line);
        // What a Sentinel says instead.
        if (line.includes('Ready to accept connections') || line.includes('Sentinel ID is')) resolve();
      });
    }
    child.once('error', (cause) => fail(`could not be started: ${cause.message}`));
    child.once('close', (code, signal) => fail(`ended with ${signal ?? String(code)} before it was ready:`));
  });
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
