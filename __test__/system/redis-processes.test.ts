import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cache, CacheManagerOptions } from '../../index';
import { startRedis, type RedisServer } from '../rig/redis';
import { hasHeardAll, hearEachOther, Process, until, within } from './elsewhere';

// Processes that share one real Redis, and nothing else.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const running: Process[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.end()));
});

/** So many processes with a manager each, all of one namespace that nobody else uses. */
async function processes(count: number, options: CacheManagerOptions = {}): Promise<Process[]> {
  const shared = { namespace: randomUUID(), redis: { url: redis.url, commandTimeout: '10s' as const }, ...options };
  const started = Array.from({ length: count }, () => new Process(shared));
  running.push(...started);
  await Promise.all(started.map((process) => process.run(({ manager }) => manager.ready())));
  if (count > 1) await hearEachOther(...started);
  return started;
}

async function pair(options: CacheManagerOptions = {}): Promise<[Process, Process]> {
  return (await processes(2, options)) as [Process, Process];
}

async function single(options: CacheManagerOptions): Promise<Process> {
  return (await processes(1, options))[0]!;
}

/** Where a value comes from when it is asked for once. */
const readOnce = (process: Process, key: string): Promise<{ value: unknown; hits: number; loads: number }> =>
  process.run(async ({ manager }, key) => {
    const before = manager.stats();
    const value = await manager.get(key);
    const after = manager.stats();
    return {
      value,
      hits: after.remote.hits - before.remote.hits,
      loads: after.loads.started - before.loads.started,
    };
  }, key);

describe('a value loaded by one process', () => {
  it('is a hit in another one, without a load, from the first moment', async () => {
    const [a, b] = await pair();
    const value = { id: 1, name: 'Grüße 🙂', at: [null, true, 1.5] };
    expect(await a.run(({ manager }, value) => manager.getOrSet('k', () => value), value)).toEqual(value);
    const answer = await b.run(async (scope) => {
      const value = await scope.manager.getOrSet('k', () => {
        scope.loads++;
        return 'loaded again';
      });
      return { value, loads: scope.loads, stats: scope.manager.stats() };
    });
    expect(answer.value).toEqual(value);
    expect(answer.loads).toBe(0);
    expect(answer.stats.loads.started).toBe(0);
    expect(answer.stats.remote.hits).toBe(1);
    // That it was stored may be heard while it is read, and costs it its place once.
    await until('it is held', () =>
      b.run(async ({ manager }) => (await manager.get('k'), manager.peek('k') !== undefined)),
    );
  });

  it('shows its times, tags and tier there', async () => {
    const [a, b] = await pair();
    await a.run(({ manager }) => manager.set('k', [1], { ttl: '1h', grace: '1h', tags: ['x', 'y'] }));
    // Heard in the middle of the read, this change would cost the value its place.
    await hasHeardAll(b, a);
    const read = ({ manager }: { manager: Cache }) => manager.getEntry('k');
    const first = (await b.run(read))!;
    expect(first).toMatchObject({ key: 'k', value: [1], tier: 'remote', stale: false, tags: ['x', 'y'], size: 3 });
    for (const [time, most] of [
      [first.ttl, 3_600_000],
      [first.expiresIn, 7_200_000],
    ] as const) {
      expect(time).toBeLessThanOrEqual(most);
      expect(time).toBeGreaterThan(most - 60_000);
    }
    expect(await b.run(read)).toMatchObject({ tier: 'memory' });
    expect(await b.run(async ({ manager }) => [await manager.get('k'), (await manager.getEntry('k'))?.tier])).toEqual([
      [1],
      'hot',
    ]);
  });

  it('keeps its ttl: Redis measures the age', async () => {
    const [a, b] = await pair();
    await a.run(({ manager }) => manager.set('for ever', 1, { ttl: null }));
    const begin = performance.now();
    await a.run(({ manager }) => manager.set('short', 1, { ttl: 400 }));
    const { value } = await readOnce(b, 'short');
    // A machine that was busy for so long has seen its end already.
    expect(performance.now() - begin < 400 ? value : 1).toBe(1);
    await until('the short one is gone', async () => (await readOnce(b, 'short')).value === undefined);
    expect(performance.now() - begin).toBeGreaterThan(399);
    expect(await b.run(({ manager }) => manager.getEntry('for ever'))).toMatchObject({ ttl: null, expiresIn: null });
  });

  it('is served there in its grace when the loader fails', async () => {
    const [a, b] = await pair({ grace: '1h' });
    await a.run(({ manager }) => manager.set('k', 'old'));
    await a.run(({ manager }) => manager.expire('k'));
    expect((await readOnce(b, 'k')).value).toBeUndefined();
    const answer = await b.run(async (scope) => {
      const value = await scope.manager.getOrSet('k', ({ stale }) => {
        throw new Error(`the origin is down, and ${String(stale)} is at hand`);
      });
      await new Promise(setImmediate);
      return { value, told: scope.errors.map(({ cause }) => cause?.message) };
    });
    expect(answer).toEqual({ value: 'old', told: ['the origin is down, and old is at hand'] });
  });
});

describe('a change in one process', () => {
  const changes: [string, (cache: Cache) => Promise<unknown>, unknown][] = [
    ['set', (cache) => cache.set('k', 'new'), 'new'],
    ['setMany', (cache) => cache.setMany(['k', 'l'].map((key) => ({ key, value: 'new' }))), 'new'],
    ['delete', (cache) => cache.delete('k'), undefined],
    ['deleteMany', (cache) => cache.deleteMany(['l', 'k']), undefined],
    ['expire', (cache) => cache.expire('k'), undefined],
    ['invalidateTags', (cache) => cache.invalidateTags(['other', 't']), undefined],
    ['deletePattern', (cache) => cache.deletePattern('[j-l]'), undefined],
    ['clear', (cache) => cache.clear(), undefined],
  ];

  it.each(changes)('%s reaches another one that holds the value decoded', async (_, change, after) => {
    const [a, b] = await pair();
    await a.run(({ manager }) => manager.set('k', 'old', { tags: ['t'] }));
    await hasHeardAll(b, a);
    const received = await b.run(({ manager }) => manager.stats().invalidations.received);
    await until('b holds it', () =>
      b.run(async ({ manager }) => (await manager.get('k'), manager.peek('k') === 'old')),
    );
    await a.run(({ manager }, source) => {
      return ((0, eval)(`(${source})`) as (cache: Cache) => Promise<unknown>)(manager);
    }, change.toString());
    await until('b has heard of it', () => b.run(({ manager }) => manager.peek('k') === undefined));
    expect((await readOnce(b, 'k')).value).toBe(after);
    expect((await readOnce(a, 'k')).value).toBe(after);
    // Redis itself may have told it first.
    await until('b has heard of it from a, too', () =>
      b.run(({ manager }, received) => manager.stats().invalidations.received > received, received),
    );
  });

  it('of a loader’s origin while the loader runs: what it loaded is kept nowhere', async () => {
    const [a, b] = await pair();
    const loaded = a.run(async (scope) => {
      scope['asked'] = new Promise<void>((resolve) => (scope['tell'] = resolve));
      const value = scope.manager.getOrSet('k', async () => {
        scope['tell']();
        await new Promise((resolve) => (scope['finish'] = resolve));
        return 'old';
      });
      return { value: await value };
    });
    await a.run((scope) => scope['asked']);
    expect(await b.run(({ manager }) => manager.delete('k'))).toBe(false);
    await a.run((scope) => scope['finish']());
    expect(await loaded).toEqual({ value: 'old' });
    for (const process of [a, b]) expect((await readOnce(process, 'k')).value).toBeUndefined();
    expect(await a.run(({ manager }) => manager.stats().loads)).toMatchObject({ started: 1, refused: 1 });
  });

  it.each([
    ['clear', ({ manager }: { manager: Cache }) => manager.clear()],
    ['clear of a nested namespace', ({ manager }: { manager: Cache }) => manager.namespace('n').clear()],
    ['invalidateTags', ({ manager }: { manager: Cache }) => manager.namespace('n').invalidateTags(['t'])],
    ['delete', ({ manager }: { manager: Cache }) => manager.namespace('n').delete('k')],
  ])('%s drops what was set just before, though nobody waited for that', async (_, change) => {
    for (const isKnown of [true, false]) {
      const a = await single({});
      const b = new Process({
        namespace: await a.run(({ manager }) => manager.namespacePath),
        redis: { url: redis.url },
      });
      running.push(b);
      // The namespace's state moves, or begins, behind a's back: its write carries an old stamp, and is repeated.
      if (isKnown) await a.run(({ manager }) => manager.set('k', 1));
      await b.run(({ manager }) => manager.invalidateTags(['another']));
      await a.run(async (scope, source) => {
        void scope.manager.namespace('n').set('k', 'old', { tags: ['t'] });
        await ((0, eval)(`(${source})`) as (scope: { manager: Cache }) => Promise<unknown>)(scope);
        // A question behind the repeats.
        await scope.manager.get('absent');
      }, change.toString());
      for (const process of [a, b]) {
        expect(await process.run(({ manager }) => manager.namespace('n').get('k'))).toBeUndefined();
      }
    }
  });

  it('to a tag or a namespace reaches nested namespaces, and no others', async () => {
    const [a, b] = await pair();
    const fill = async ({ manager }: { manager: Cache }) => {
      const outer = manager.namespace('outer');
      for (const cache of [manager, outer, outer.namespace('inner'), manager.namespace('other')]) {
        await cache.set('k', cache.namespacePath.split('/').at(-1), { tags: ['t'] });
      }
    };
    const read = async ({ manager }: { manager: Cache }) => {
      const outer = manager.namespace('outer');
      const caches = [manager, outer, outer.namespace('inner'), manager.namespace('other')];
      return Promise.all(caches.map(async (cache) => (await cache.get('k')) !== undefined));
    };
    const expectBoth = (state: boolean[]) =>
      until(`both see ${state.join()}`, async () => {
        const seen = [await a.run(read), await b.run(read)];
        return seen.every((answer) => answer.join() === state.join());
      });

    await a.run(fill);
    await expectBoth([true, true, true, true]);
    await b.run(({ manager }) => manager.namespace('outer').clear());
    await expectBoth([true, false, false, true]);
    await a.run(fill);
    await expectBoth([true, true, true, true]);
    await b.run(({ manager }) => manager.namespace('outer').invalidateTags(['t']));
    await expectBoth([true, false, false, true]);
    await b.run(({ manager }) => manager.clear());
    await expectBoth([false, false, false, false]);
  });
});

describe('one load', () => {
  it('serves 50 callers in each of 4 processes', async () => {
    const four = await processes(4);
    const answers = four.map((process) =>
      process.run(async (scope) => {
        const load = async () => {
          scope.loads++;
          await new Promise((resolve) => setTimeout(resolve, 300));
          return { loaded: 'once' };
        };
        const values = await Promise.all(Array.from({ length: 50 }, () => scope.manager.getOrSet('cold', load)));
        return { values, loads: scope.loads };
      }),
    );
    const all = await within(15_000, '200 callers', Promise.all(answers));
    expect(all.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
    for (const { values } of all) {
      expect(values).toHaveLength(50);
      for (const value of values) expect(value).toEqual({ loaded: 'once' });
    }
  });

  it('of a process that is killed goes to the next one who waits', async () => {
    const [a, b] = await pair();
    a.run((scope) => scope.manager.getOrSet('k', () => new Promise(() => (scope.loads = 1)))).catch(() => {});
    await until('a loads', () => a.run((scope) => scope.loads === 1));
    const value = b.run(({ manager }) => manager.getOrSet('k', () => 'from b'));
    a.kill('SIGKILL');
    expect(await within(10_000, 'b', value)).toBe('from b');
  });

  it('that fails is tried by the next process, and its error stays with its callers', async () => {
    const [a, b] = await pair();
    const failing = a.run((scope) => {
      return scope.manager.getOrSet('k', async () => {
        scope.loads = 1;
        await new Promise((resolve) => (scope['fail'] = resolve));
        throw new Error('only a is told');
      });
    });
    const failed = expect(failing).rejects.toThrow('only a is told');
    await until('a loads', () => a.run((scope) => scope.loads === 1));
    const value = b.run(({ manager }) => manager.getOrSet('k', () => 'from b'));
    await a.run((scope) => scope['fail']());
    await failed;
    expect(await within(10_000, 'b', value)).toBe('from b');
  });
});

describe('another version or namespace', () => {
  it('sees, clears and invalidates nothing of this one', async () => {
    const namespace = randomUUID();
    const a = await single({ namespace, version: 1 });
    await a.run(({ manager }) => manager.set('k', 'one', { tags: ['t'] }));
    for (const other of [
      { namespace, version: 2 },
      { namespace },
      { namespace: `${namespace}@1` },
      { namespace: `${namespace}/1` },
    ]) {
      const b = await single(other);
      expect((await readOnce(b, 'k')).value).toBeUndefined();
      await b.run(({ manager }) => manager.set('k', 'other', { tags: ['t'] }));
      await b.run(({ manager }) => manager.invalidateTags(['t']));
      await b.run(({ manager }) => manager.clear());
    }
    const late = await single({ namespace, version: '1' });
    await until('a late one reads it', async () => (await readOnce(late, 'k')).value === 'one');
    expect((await readOnce(a, 'k')).value).toBe('one');
  });
});
