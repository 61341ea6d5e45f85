/** A master, a replica, and three Sentinels that watch them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './port';
import { RedisServer, startRedis } from './redis';

/** Name of the master. */
export const MASTER_NAME = 'shop';
const STARTS_WITHIN = 20_000;

export async function startSentinels(): Promise<SentinelTrio> {
  const master = await startRedis();
  const replica = await startRedis({
    args: ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'],
  });
  const folder = mkdtempSync(path.join(process.env['TURBOCACHE_TEST_DIR'] ?? tmpdir(), 'sentinels-'));
  const ports = [await freePort(), await freePort(), await freePort()];
  const sentinels = ports.map((port) => {
    const file = path.join(folder, `${port}.conf`);
    writeFileSync(file, configuration(port, ports, master.port));
    return new RedisServer(port, ['--sentinel'], file);
  });
  const trio = new SentinelTrio([master, replica], sentinels, folder);
  try {
    await Promise.all(sentinels.map((sentinel) => sentinel.start()));
    await trio.ready();
    return trio;
  } catch (cause) {
    await trio.stop();
    throw cause;
  }
}

export class SentinelTrio {
  constructor(
    /** The master of the beginning, and its replica. */
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly RedisServer[],
    private readonly folder: string,
  ) {}

  /** How a client finds the master. */
  get options(): { name: string; nodes: string[] } {
    return { name: MASTER_NAME, nodes: this.sentinels.map((sentinel) => sentinel.url) };
  }

  /** Resolves when the replica follows, and every Sentinel knows it. */
  async ready(): Promise<void> {
    const deadline = performance.now() + STARTS_WITHIN;
    const eventually = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
      while (!(await holds())) {
        if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await eventually('the replica follows', async () =>
      String(await this.servers[1]!.cli('INFO', 'replication')).includes('master_link_status:up'),
    );
    for (const sentinel of this.sentinels) {
      // A replica is promoted only if what is known of it is newer than five ping periods, and while its master is down it is
      // asked once a second.
      const hurry = ['ping-period', 300, 'ask-period', 100, 'info-period', 200, 'publish-period', 200];
      await sentinel.cli('SENTINEL', 'DEBUG', ...hurry, 'tilt-trigger', 60_000, 'election-timeout', 500);
      await eventually('a Sentinel knows the replica', async () => {
        const replicas = (await sentinel.cli('SENTINEL', 'REPLICAS', MASTER_NAME)) as unknown[];
        return replicas.length === 1;
      });
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** They know each other from the beginning; otherwise it takes them seconds to meet. */
function configuration(own: number, all: readonly number[], master: number): string {
  const id = (port: number): string => port.toString(16).padStart(40, '0');
  return [
    `sentinel myid ${id(own)}`,
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 400`,
    `sentinel failover-timeout ${MASTER_NAME} 1500`,
    ...all
      .filter((port) => port !== own)
      .map((port) => `sentinel known-sentinel ${MASTER_NAME} 127.0.0.1 ${port} ${id(port)}`),
    '',
  ].join('\n');
}
