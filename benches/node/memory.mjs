/**
 * What the package costs before it is used, and what an entry of the memory tier costs. Every figure is the median of
 * fresh processes.
 *
 *     node benches/node/memory.mjs [--processes=11] [--entries=1000000]
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, megabytes, processState } from './process-state.mjs';

const { values: options } = parseArgs({
  options: {
    processes: { type: 'string', default: '11' },
    entries: { type: 'string', default: '1000000' },
    /** Of the child processes. */
    measure: { type: 'string' },
  },
});

const MB = 2 ** 20;
const VALUE_BYTES = 100;
const TARGETS = { idleRss: 15 * MB, importTime: 15, heapChange: 5 * MB };

if (options.measure === 'idle') report(await idle());
else if (options.measure === 'entries') report(await fill(Number(options.entries)));
else main();

function main() {
  const [cpu] = os.cpus();
  console.log(`Node ${process.versions.node}, ${os.cpus().length} × ${cpu?.model}\n`);

  const runs = Array.from({ length: Number(options.processes) }, () => measure('idle'));
  const importTime = median(runs.map((run) => run.importTime));
  const added = median(runs.map((run) => run.rss));
  console.log(`${runs.length} fresh processes, medians:`);
  line('require', `${importTime.toFixed(1)} ms`, importTime <= TARGETS.importTime, `≤ ${TARGETS.importTime} ms`);
  line('require, CPU time', `${median(runs.map((run) => run.importCpuTime)).toFixed(1)} ms`);
  line('the first manager', `${median(runs.map((run) => run.openTime)).toFixed(1)} ms`);
  line('RSS added by require', megabytes(median(runs.map((run) => run.importRss))));
  line(
    'RSS added by require and one manager',
    megabytes(added),
    added <= TARGETS.idleRss,
    `≤ ${megabytes(TARGETS.idleRss)}`,
  );
  line('JS heap added', megabytes(median(runs.map((run) => run.heap))));
  line('threads added', String(median(runs.map((run) => run.threads))));

  const filled = measure('entries');
  const heapIsFlat = Math.abs(filled.heap) <= TARGETS.heapChange;
  console.log(
    `\n${filled.entries.toLocaleString('en')} entries of ${VALUE_BYTES} B values in the memory tier, hot tier off:`,
  );
  line('written in', `${(filled.time / 1_000).toFixed(1)} s, ${Math.round(filled.entries / filled.time)} k/s`);
  line('RSS added', megabytes(filled.rss));
  line(
    'an entry costs',
    `${(filled.rss / filled.entries).toFixed(0)} B of RSS; the tier counts ${(filled.bytes / filled.entries).toFixed(0)} B`,
  );
  line('bookkeeping an entry', `${((filled.rss - filled.payload) / filled.entries).toFixed(0)} B`);
  line('JS heap changed by', megabytes(filled.heap), heapIsFlat, `± ${megabytes(TARGETS.heapChange)}`);
  line('after clear(), RSS added', megabytes(filled.rssAfterClear));
}

function measure(name) {
  const self = fileURLToPath(import.meta.url);
  const argv = ['--expose-gc', self, `--measure=${name}`, `--entries=${options.entries}`];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8', maxBuffer: MB }));
}

function report(figures) {
  process.stdout.write(JSON.stringify(figures));
}

async function idle() {
  const require = createRequire(import.meta.url);
  const before = processState();
  const start = performance.now();
  const busy = process.cpuUsage();
  const { CacheManager } = require('../../index.js');
  const imported = performance.now();
  const { user, system } = process.cpuUsage(busy);
  const between = processState();
  const openStart = performance.now();
  const manager = new CacheManager({ namespace: 'idle' });
  const opened = performance.now();
  // Its threads have started and its clock ticks when the first value has expired.
  await manager.set('k', 1, { ttl: 50 });
  while ((await manager.get('k')) !== undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  const after = processState();
  await manager.close();
  return {
    importTime: imported - start,
    importCpuTime: (user + system) / 1_000,
    openTime: opened - openStart,
    importRss: between.rss - before.rss,
    rss: after.rss - before.rss,
    heap: after.heap - before.heap,
    threads: after.threads - before.threads,
  };
}

async function fill(entries) {
  const { CacheManager } = await import('../../index.mjs');
  const manager = new CacheManager({ memory: { maxBytes: '4gb' }, hot: false, ttl: null });
  const keyOf = (index) => `user:${index}`;
  // As JSON, with its quotes, exactly as long as it should be.
  const value = 'v'.repeat(VALUE_BYTES - 2);
  await manager.set(keyOf(0), value);
  const before = processState();
  const start = performance.now();
  let payload = 0;
  for (let index = 0; index < entries;) {
    const batch = [];
    for (; batch.length < 1_000 && index < entries; index++) {
      const key = keyOf(index);
      payload += key.length + VALUE_BYTES;
      batch.push({ key, value });
    }
    await manager.setMany(batch);
  }
  const time = performance.now() - start;
  const after = processState();
  const held = manager.stats().memory;
  if (held.entries !== entries) throw new Error(`the tier holds ${held.entries} entries`);
  await manager.clear();
  // What is cleared is dead at once; its memory is won back by a sweep.
  const deadline = performance.now() + 30_000;
  while (manager.stats().memory.entries > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const cleared = processState();
  await manager.close();
  return {
    entries,
    time,
    payload,
    rss: after.rss - before.rss,
    bytes: held.bytes,
    heap: after.heap - before.heap,
    rssAfterClear: cleared.rss - before.rss,
  };
}

function line(what, got, holds, target) {
  const verdict = target === undefined ? '' : `   ${holds ? 'holds' : 'MISSED'}: ${target}`;
  if (holds === false) process.exitCode = 1;
  console.log(`  ${what.padEnd(38)} ${got}${verdict}`);
}
