/** Eight worker threads that read the same keys: one L1 for all of them, or a cache each. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { WrongValue } from '../runner/wrong-value.mjs';
import { KEYS } from '../values.mjs';

const THREADS = 8;

export const workers = [
  {
    name: 'workers',
    title: `${THREADS} worker threads read 1,024 keys, figures of one operation of one of them`,
    unit: KEYS * THREADS,
    columns: { wall: 'ns', cpu: 'ns' },
    entrants: [
      threads('turbocache, one L1 for all, hot: false', 'sharedMemory', 'sync'),
      threads('turbocache, L0 in front of it, copy', 'hot', 'sync'),
      threads('lru-cache with ttl, one a thread', 'lruCache', 'sync'),
      threads('cacheable, one a thread', 'cacheable', 'awaited'),
    ],
  },
];

function threads(name, cache, expression) {
  return async () => {
    const program = new URL('../children/reading-worker.mjs', import.meta.url);
    const readers = [];
    for (let thread = 0; thread < THREADS; thread++) {
      const reader = new Worker(program, { workerData: { cache, expression } });
      await once(reader, 'message');
      readers.push(reader);
    }
    const ask = async (reader, operations) => {
      reader.postMessage(operations);
      const [wrong] = await once(reader, 'message');
      if (wrong !== null) throw new WrongValue(wrong);
    };
    return {
      name,
      run: async (operations) => {
        await Promise.all(readers.map((reader) => ask(reader, operations / THREADS)));
      },
      close: () => Promise.all(readers.map((reader) => reader.terminate())),
    };
  };
}
