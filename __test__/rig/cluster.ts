/** A Redis Cluster of one's own: three masters that share the slots evenly. */
import { freePort } from './port';
import { startRedis, type RedisServer } from './redis';

const SLOTS = 16_384;
const MASTERS = 3;
/** A node does not serve before two seconds are over. */
const FORMS_WITHIN = 20_000;

export async function startCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: MASTERS }, startNode));
  const cluster = new RedisCluster(nodes);
  try {
    await form(nodes);
    return cluster;
  } catch (cause) {
    await cluster.stop();
    throw cause;
  }
}

export class RedisCluster {
  constructor(readonly nodes: readonly RedisServer[]) {}

  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  /** The node that has a key. */
  async ownerOf(key: string): Promise<RedisServer> {
    const slot = Number(await this.nodes[0]!.cli('CLUSTER', 'KEYSLOT', key));
    return this.nodes.find((_, number) => slot < firstSlot(number + 1))!;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

async function startNode(): Promise<RedisServer> {
  const busPort = String(await freePort());
  return startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', busPort, '--cluster-node-timeout', '600'],
      ...['--cluster-require-full-coverage', 'no'],
    ],
  });
}

async function form(nodes: readonly RedisServer[]): Promise<void> {
  for (const [number, node] of nodes.entries()) {
    await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', number + 1);
    await node.cli('CLUSTER', 'ADDSLOTSRANGE', firstSlot(number), firstSlot(number + 1) - 1);
    const [, busPort] = (await node.cli('CONFIG', 'GET', 'cluster-port')) as [string, string];
    await nodes[0]!.cli('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort);
  }
  const deadline = performance.now() + FORMS_WITHIN;
  for (const node of nodes) {
    for (;;) {
      const info = String(await node.cli('CLUSTER', 'INFO'));
      if (info.includes('cluster_state:ok') && info.includes(`cluster_size:${nodes.length}`)) break;
      if (performance.now() > deadline) throw new Error(`the Cluster was not formed in time\n${info}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const firstSlot = (number: number): number => Math.floor((number * SLOTS) / MASTERS);
