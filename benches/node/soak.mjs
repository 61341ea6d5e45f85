/**
 * Many workers that come, use the cache and go, half of them without a word; then a verdict whether anything grew.
 * Exits with 1 when something did.
 *
 *     node --expose-gc benches/node/soak.mjs [--workers=1000] [--operations=10000000] [--samples=20] [--redis=redis://…]
 *
 * Each worker opens a manager of the namespace that all share and one of its own, and runs its part of the operations.
 * Every second one is terminated where it is; the others close and end by themselves. A sample is taken when no worker
 * lives.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { CacheManager } from '../../index.mjs';
import { median, megabytes, processState } from './process-state.mjs';

const KEYS = 20_000;
const AT_ONCE = 4;
/** What the second half of the samples may have more than the first half, without its beginning. */
const ALLOWED = { rss: 8 * 2 ** 20, heap: 2 * 2 ** 20, threads: 0, handles: 0, files: 0 };

if (isMainThread) process.exitCode = await main();
else await work(workerData);

async function main() {
  const { values } = parseArgs({
    options: {
      workers: { type: 'string', default: '1000' },
      operations: { type: 'string', default: '10000000' },
      samples: { type: 'string', default: '20' },
      redis: { type: 'string' },
    },
  });
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc');
  const workers = Number(values.workers);
  const operations = Number(values.operations);
  const samples = Number(values.samples);
  const shared = { namespace: 'soak', ...(values.redis === undefined ? {} : { redis: { url: values.redis } }) };
  console.log(`Node ${process.versions.node}, ${os.cpus().length} × ${os.cpus()[0]?.model}`);
  console.log(`${workers} workers, ${operations.toLocaleString('en')} operations, ${values.redis ?? 'memory only'}\n`);

  const manager = new CacheManager(shared);
  const start = performance.now();
  const taken = [];
  const sample = async (done) => {
    // What ended workers left to be done has been done when their threads are gone.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const state = { workers: done, seconds: (performance.now() - start) / 1_000, ...processState() };
    taken.push(state);
    if (taken.length === 1) console.log('  workers  seconds       RSS   JS heap  threads  handles  files');
    const columns = [
      String(done).padStart(9),
      state.seconds.toFixed(1).padStart(9),
      megabytes(state.rss).padStart(10),
      megabytes(state.heap).padStart(10),
      String(state.threads).padStart(9),
      String(state.handles).padStart(9),
      String(state.files).padStart(7),
    ];
    console.log(columns.join(''));
  };

  await sample(0);
  const each = Math.ceil(operations / workers);
  let total = 0;
  for (let done = 0; done < workers;) {
    const until = Math.min(workers, Math.ceil((taken.length * workers) / samples));
    while (done < until) {
      const batch = Math.min(AT_ONCE, until - done);
      const counts = await Promise.all(
        Array.from({ length: batch }, (_, index) => runWorker(shared, each, done + index)),
      );
      total += counts.reduce((sum, count) => sum + count, 0);
      done += batch;
    }
    await manager.set('still', done);
    if ((await manager.get('still')) !== done) throw new Error('the manager of the main thread does not work any more');
    await sample(done);
  }
  const verdict = judge(taken);
  await manager.close();
  console.log(`\n${total.toLocaleString('en')} operations in ${((performance.now() - start) / 1_000).toFixed(0)} s`);
  return verdict;
}

/** The number of its operations. */
async function runWorker(shared, operations, number) {
  const isTerminated = number % 2 === 0;
  const worker = new Worker(new URL(import.meta.url), { workerData: { shared, operations, number, isTerminated } });
  return new Promise((resolve, reject) => {
    let count = 0;
    worker.once('message', (message) => {
      count = message;
      // It is in the middle of more of them.
      if (isTerminated) void worker.terminate();
    });
    worker.once('error', reject);
    worker.once('exit', () => (count === 0 ? reject(new Error('a worker ended early')) : resolve(count)));
  });
}

async function work({ shared, operations, number, isTerminated }) {
  const together = new CacheManager(shared);
  const own = new CacheManager({ memory: { maxBytes: '1mb' } });
  let done = 0;
  while (done < operations) {
    const manager = done % 1_000 < 900 ? together : own;
    done += await someOperations(manager, number + done);
  }
  parentPort.postMessage(done);
  while (isTerminated) await someOperations(together, number);
  await Promise.all([together.close(), own.close()]);
}

/** A round of everything, 100 operations: mostly hits, as in life. */
async function someOperations(manager, seed) {
  const keyOf = (index) => `k${(seed * 31 + index * 7) % KEYS}`;
  const value = { seed, text: 'some text of a value that is decoded and copied', list: [1, 2, 3] };
  const writes = [];
  for (let index = 0; index < 10; index++)
    writes.push(manager.set(keyOf(index), value, index === 0 ? { tags: ['t'] } : undefined));
  await Promise.all(writes);
  for (let index = 0; index < 50; index++) await manager.get(keyOf(index % 10));
  for (let index = 0; index < 20; index++) manager.peek(keyOf(index));
  const loads = [];
  for (let index = 0; index < 15; index++) loads.push(manager.getOrSet(keyOf(index), async () => value));
  await Promise.all(loads);
  await Promise.all([
    manager.delete(keyOf(3)),
    manager.has(keyOf(4)),
    manager.expire(keyOf(5)),
    manager.getEntry(keyOf(6)),
  ]);
  if (seed % 50 === 0) await manager.invalidateTags(['t']);
  else await manager.getMany([keyOf(1)]);
  return 100;
}

/** Compares the plateau's two halves; the first fifth is warming up. */
function judge(samples) {
  const plateau = samples.slice(Math.ceil(samples.length / 5));
  const half = Math.floor(plateau.length / 2);
  if (half === 0) {
    console.log('\ntoo few samples for a verdict');
    return 0;
  }
  console.log('\nmedian of the first and of the second half of the plateau:');
  let grew = 0;
  for (const [name, allowed] of Object.entries(ALLOWED)) {
    const [first, second] = [plateau.slice(0, half), plateau.slice(-half)].map((part) =>
      median(part.map((one) => one[name])),
    );
    if (Number.isNaN(first)) continue;
    const show = allowed >= 2 ** 20 ? megabytes : String;
    const fits = second - first <= allowed;
    if (!fits) grew++;
    console.log(
      `  ${name.padEnd(8)} ${show(first)} → ${show(second)}   ${fits ? 'no growth' : 'GROWS'} (allowed: ${show(allowed)})`,
    );
  }
  return grew === 0 ? 0 : 1;
}
