import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { LARGEST_DISTURBANCE, watchNeighbours } from './neighbours.mjs';
import { ownVersion } from './versions.mjs';

/** Where and when, for the head of every report. */
export function machine() {
  return {
    at: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    load: os.loadavg().map((load) => Number(load.toFixed(2))),
    node: process.versions.node,
    v8: process.versions.v8,
    redis: execFileSync('redis-server', ['--version'], { encoding: 'utf8' }).match(/v=(\S+)/)?.[1],
    turbocache: ownVersion(),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  };
}

export const isTooLoaded = ({ load, cores }) => load[0] > cores;

/**
 * A build that has just ended leaves its load behind, and neighbours come and go: waits for a second in which they are
 * quiet and for the load to fall, `atMost` milliseconds in all.
 */
export async function calm({ atMost, alsoLoad = false }) {
  const end = Date.now() + atMost;
  for (let isCalm = false; !isCalm && Date.now() < end;) {
    const neighbours = watchNeighbours([]);
    await sleep(1_000);
    isCalm = neighbours() < LARGEST_DISTURBANCE / 2 && !(alsoLoad && isTooLoaded(machine()));
  }
}
