/** What a process holds at a moment: memory, threads, handles, open files. */
import { readdirSync, readFileSync } from 'node:fs';

/** Call it when nothing is under way. Needs `--expose-gc`. */
export function processState() {
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    rss,
    heap: heapUsed,
    external,
    threads: threads(),
    handles: process.getActiveResourcesInfo().length,
    files: files(),
  };
}

/** `NaN` where the system does not tell. */
function threads() {
  try {
    return Number(/^Threads:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  } catch {
    return NaN;
  }
}

function files() {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return NaN;
  }
}

export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
