import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { CacheManager } from 'turbocache-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Cache, CacheManagerOptions } from '../../index';
import { startRedis } from '../rig/redis';
import { Isolate, Process, until, within, type Scope } from './elsewhere';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close();
});

/** A manager of this thread and so many workers, all of one namespace that nobody else uses. */
function together(workers: number, options: CacheManagerOptions = {}): { main: CacheManager; isolates: Isolate[] } {
  const shared = { namespace: randomUUID(), ...options };
  const isolates = Array.from({ length: workers }, () => isolate(shared));
  return { main: manager(shared), isolates };
}

function isolate(options: CacheManagerOptions | null): Isolate {
  const made = new Isolate(options);
  open.push({ close: () => made.terminate() });
  return made;
}

function manager(options: CacheManagerOptions): CacheManager {
  const made = new CacheManager(options);
  open.push(made);
  return made;
}

const words = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * count));

describe('managers of one namespace in several threads', () => {
  it('share what one of them has set, without a load', async () => {
    const { main, isolates } = together(2);
    await main.set('from main', { n: 1 });
    await isolates[0]!.run(({ manager }) => manager.set('from worker', { n: 2 }));

    for (const isolate of isolates) {
      const got = await isolate.run(({ manager }) => ({
        peeked: [manager.peek('from main'), manager.peek('from worker')],
        hits: manager.stats().memory.hits,
      }));
      expect(got.peeked).toEqual([{ n: 1 }, { n: 2 }]);
      expect(got.hits).toBeGreaterThanOrEqual(2);
    }
    expect(main.peek('from worker')).toEqual({ n: 2 });
    expect((await main.getEntry('from worker'))?.value).toEqual({ n: 2 });
    expect(main.stats().memory.entries).toBe(2);
  });

  it('share one connection for commands and one for messages', async () => {
    const redis = await startRedis();
    try {
      const { main, isolates } = together(3, {
        redis: { url: redis.url, connectTimeout: '10s', commandTimeout: '10s' },
      });
      await main.set('k', 1);
      for (const isolate of isolates) expect(await isolate.run(({ manager }) => manager.get('k'))).toBe(1);
      const clients = async (): Promise<string[]> => {
        const lines = String(await redis.cli('CLIENT', 'LIST'))
          .trim()
          .split('\n');
        return lines.filter((line) => !line.includes('cmd=client|list'));
      };
      await until('the bus is heard', async () => (await clients()).some((line) => line.includes(' sub=1 ')));
      // One connection is told of changes by others, the other one subscribes.
      const all = await clients();
      expect(all.map((line) => /flags=(\w+)/.exec(line)?.[1]).sort()).toEqual(['P', 'tB']);
      await redis.cli('DEL', `tc:{${main.namespacePath}:k}:v`);
      for (const isolate of isolates) {
        await until('each thread sees what it is told', () =>
          isolate.run(({ manager }) => manager.peek('k') === undefined),
        );
      }
    } finally {
      await redis.stop();
    }
  });

  it('share named caches and nested namespaces', async () => {
    const { main, isolates } = together(1);
    await main.cache('users').set('k', 'user');
    await main.namespace('a').namespace('b').set('k', 'nested');
    const got = await isolates[0]!.run(({ manager }) => [
      manager.cache('users').peek('k'),
      manager.namespace('a').namespace('b').peek('k'),
      manager.peek('k'),
    ]);
    expect(got).toEqual(['user', 'nested', undefined]);
  });

  it('do not share with another namespace, another version, or a manager without a name', async () => {
    const namespace = randomUUID();
    await manager({ namespace, version: 1 }).set('k', 'secret');
    for (const other of [{ namespace: randomUUID() }, { namespace, version: 2 }, { namespace }, {}]) {
      expect(manager(other).peek('k')).toBeUndefined();
      expect(await isolate(other).run(({ manager }) => manager.get('k'))).toBeUndefined();
    }
  });

  it('without a name keep everything to themselves, in one thread too', async () => {
    const [first, second, elsewhere] = [manager({}), manager({}), isolate({})];
    await first.set('k', 1);
    expect(second.peek('k')).toBeUndefined();
    expect(await elsewhere.run(({ manager }) => manager.get('k'))).toBeUndefined();
    await second.clear();
    await elsewhere.run(({ manager }) => manager.clear());
    expect(first.peek('k')).toBe(1);
  });
});

/** Everything that makes an entry old, and what a read finds behind it. */
const changes: [string, (cache: Cache) => Promise<unknown>, unknown][] = [
  ['set', (cache) => cache.set('k', 'new', { tags: ['t'] }), 'new'],
  ['delete', (cache) => cache.delete('k'), undefined],
  ['expire', (cache) => cache.expire('k'), undefined],
  ['deleteMany', (cache) => cache.deleteMany(['other', 'k']), undefined],
  ['setMany', (cache) => cache.setMany([{ key: 'k', value: 'new' }]), 'new'],
  ['invalidateTags', (cache) => cache.invalidateTags(['t']), undefined],
  ['deletePattern', (cache) => cache.deletePattern('?'), undefined],
  ['clear', (cache) => cache.clear(), undefined],
];

describe.each([
  ['with a hot tier', {}],
  ['without a hot tier', { hot: false }],
] as const)('a change in one thread, %s', (_, options) => {
  it.each(changes)('%s: is seen by the next read of a worker that never yields', async (_name, change, after) => {
    const { main, isolates } = together(1, options);
    await main.set('k', 'old', { tags: ['t'] });
    const signal = words(2);
    const reader = isolates[0]!.run(readUntilTold, signal);
    await until('the worker reads', () => Atomics.load(signal, 0) === 1);
    await change(main);
    Atomics.store(signal, 1, 1);
    expect(await reader).toEqual({ before: 'old', after });
  });

  it.each(changes)(
    '%s: is seen by the next read of the main thread while it never yields',
    async (_name, change, after) => {
      const { main, isolates } = together(1, options);
      await main.set('k', 'old', { tags: ['t'] });
      const signal = words(2);
      const source = change.toString();
      const done = isolates[0]!.run(
        async ({ manager }, source, signal) => {
          const change = (0, eval)(`(${source})`) as (cache: typeof manager) => Promise<unknown>;
          while (Atomics.load(signal, 0) === 0) await new Promise(setImmediate);
          await change(manager);
          Atomics.store(signal, 1, 1);
        },
        source,
        signal,
      );
      expect(readUntilTold({ manager: main }, signal)).toEqual({ before: 'old', after });
      await done;
    },
  );
});

/** One synchronous turn: reads until the signal's second word is set, then once more. */
function readUntilTold({ manager }: Pick<Scope, 'manager'>, signal: Int32Array): { before: unknown; after: unknown } {
  const deadline = Date.now() + 15_000;
  const before = manager.peek('k');
  Atomics.store(signal, 0, 1);
  while (Atomics.load(signal, 1) === 0) {
    manager.peek('k');
    if (Date.now() > deadline) throw new Error('nobody told the reader');
  }
  return { before, after: manager.peek('k') };
}

describe('one load', () => {
  it('serves 100 callers in each of 8 workers', async () => {
    const { main, isolates } = together(8);
    // Callers that have asked; calls of the loader.
    const counts = words(2);
    const callers = isolates.map((isolate) =>
      isolate.run(async ({ manager }, counts) => {
        const all = Array.from({ length: 100 }, () => {
          Atomics.add(counts, 0, 1);
          return manager.getOrSet('cold', async () => {
            Atomics.add(counts, 1, 1);
            while (Atomics.load(counts, 0) < 800) await new Promise(setImmediate);
            return { loaded: 'once' };
          });
        });
        return Promise.all(all);
      }, counts),
    );
    const values = (await within(15_000, '800 callers', Promise.all(callers))).flat();
    expect(values).toHaveLength(800);
    expect(new Set(values.map((value) => value.loaded))).toEqual(new Set(['once']));
    expect(Atomics.load(counts, 1)).toBe(1);
    expect(main.stats().loads).toEqual({ started: 1, failed: 0, refused: 0, shed: 0 });
  });

  it('of a worker that is terminated goes to the next who waits', async () => {
    const { main, isolates } = together(2);
    const loading = words(1);
    const neverEnds = isolates[0]!.run(({ manager }, loading) => {
      return manager.getOrSet('k', () => {
        Atomics.store(loading, 0, 1);
        return new Promise(() => {});
      });
    }, loading);
    neverEnds.catch(() => {});
    await until('the first worker loads', () => Atomics.load(loading, 0) === 1);

    const loads = words(1);
    const others = [
      ...Array.from({ length: 3 }, () => main.getOrSet('k', () => `main ${Atomics.add(loads, 0, 1) + 1}`)),
      isolates[1]!.run(
        ({ manager }, loads) => manager.getOrSet('k', () => `worker ${Atomics.add(loads, 0, 1) + 1}`),
        loads,
      ),
    ];
    // A question behind the others: when it is answered, theirs have been asked, and wait.
    await main.getOrSet('another', () => 1);
    await isolates[1]!.run(({ manager }) => manager.getOrSet('another', () => 2));
    expect(Atomics.load(loads, 0)).toBe(0);
    await isolates[0]!.terminate();

    const values = await within(15_000, 'those who waited', Promise.all(others));
    expect(new Set(values).size).toBe(1);
    expect(Atomics.load(loads, 0)).toBe(1);
    await expect(neverEnds).rejects.toThrow('the worker has ended');
  });

  it('is not stored when another thread deletes the key meanwhile', async () => {
    const { main, isolates } = together(1);
    const signal = words(2);
    const load = isolates[0]!.run(async ({ manager }, signal) => {
      return manager.getOrSet('k', async () => {
        Atomics.store(signal, 0, 1);
        while (Atomics.load(signal, 1) === 0) await new Promise(setImmediate);
        return 'old';
      });
    }, signal);
    await until('the worker loads', () => Atomics.load(signal, 0) === 1);
    await main.delete('k');
    const newer = main.getOrSet('k', () => 'new');
    expect(await within(15_000, 'a call behind the delete', newer)).toBe('new');
    Atomics.store(signal, 1, 1);
    expect(await load).toBe('old');
    expect(main.peek('k')).toBe('new');
    expect(await isolates[0]!.run(({ manager }) => manager.get('k'))).toBe('new');
    await main.delete('k');
  });
});

describe('a namespace', () => {
  it('ends with its last manager: who comes later finds nothing', async () => {
    const namespace = randomUUID();
    const first = new CacheManager({ namespace });
    const second = new CacheManager({ namespace });
    await first.set('k', 1);
    await first.close();
    expect(second.peek('k')).toBe(1);
    await second.close();
    expect(manager({ namespace }).peek('k')).toBeUndefined();
  });

  it('outlives a worker that is terminated as long as somebody else has it open', async () => {
    const { main, isolates } = together(1);
    await isolates[0]!.run(({ manager }) => manager.set('k', 1));
    await isolates[0]!.terminate();
    expect(main.peek('k')).toBe(1);
    await main.delete('k');
    expect(main.peek('k')).toBeUndefined();
  });
});

/** What a worker may be doing when it is terminated. Each tells by `ready` that it is at it. */
const states: [string, (scope: Scope, ready: Int32Array) => unknown][] = [
  ['idle', (_scope, ready) => Atomics.store(ready, 0, 1)],
  [
    'reading, in a turn that never ends',
    ({ manager }, ready) => {
      for (let index = 0; ; index++) {
        manager.peek(`k${index % 100}`);
        if (index === 1_000) Atomics.store(ready, 0, 1);
      }
    },
  ],
  [
    'loading',
    ({ manager }, ready) =>
      manager.getOrSet('load', () => {
        Atomics.store(ready, 0, 1);
        return new Promise(() => {});
      }),
  ],
  [
    'waiting for a load of another worker',
    ({ manager }, ready) => {
      setImmediate(() => Atomics.store(ready, 0, 1));
      return manager.getOrSet('load', () => new Promise(() => {}));
    },
  ],
  [
    'writing and draining without a pause',
    async ({ manager }, ready) => {
      for (let round = 0; ; round++) {
        const keys = Array.from({ length: 500 }, (_, index) => `k${index % 100}`);
        await Promise.all(keys.map((key) => manager.set(key, { round })));
        await manager.getMany(keys);
        if (round === 3) Atomics.store(ready, 0, 1);
      }
    },
  ],
  [
    'opening and closing managers',
    async ({ open }, ready) => {
      for (let round = 0; ; round++) {
        const another = open({ namespace: 'shared by all' });
        await another.set('k', round);
        if (round === 3) Atomics.store(ready, 0, 1);
        await another.close();
      }
    },
  ],
  [
    'closing',
    ({ manager }, ready) => {
      void manager.getOrSet('load', () => new Promise(() => {}));
      const closed = manager.close();
      Atomics.store(ready, 0, 1);
      return closed;
    },
  ],
  [
    'closed',
    async ({ manager }, ready) => {
      await manager.set('k', 1);
      await manager.close();
      Atomics.store(ready, 0, 1);
    },
  ],
];

describe('a worker that is terminated while it is', () => {
  it.each(states)(
    '%s harms nobody',
    async (_, state) => {
      // A process of its own: a crash would take the test with it.
      const process = new Process({ namespace: 'shared by all' });
      const rounds = 10;
      const answers = await within(
        60_000,
        'the rounds',
        process.run(
          async ({ manager, require }, program, state, rounds) => {
            const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
            let answers = 0;
            for (let round = 0; round < rounds; round++) {
              const ready = new Int32Array(new SharedArrayBuffer(4));
              const workers = [0, 1].map(() => {
                const worker = new Worker(program, { workerData: { namespace: 'shared by all' } });
                worker.postMessage({ id: 1, source: state, args: [ready] });
                return worker;
              });
              while (Atomics.load(ready, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
              await Promise.all(workers.map((worker) => worker.terminate()));
              await manager.set('mine', round);
              if (manager.peek('mine') === round) answers++;
              if ((await manager.getOrSet('load', () => round)) === round) answers++;
              await manager.delete('load');
            }
            await manager.close();
            return answers;
          },
          fileURLToPath(new URL('worker-program.mjs', import.meta.url)),
          state.toString(),
          rounds,
        ),
      );
      expect(answers).toBe(2 * rounds);
      expect(await process.exit()).toMatchObject({ code: 0, stderr: '' });
    },
    90_000,
  );
});
