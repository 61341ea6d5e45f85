import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { CacheManager, escapePattern, MemoryAdapter } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { hasHeardAll, hearEachOther, Isolate, Process, until } from './elsewhere';

// Deletion by pattern over a real Redis, seen by other processes and by other threads.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const running: { end(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.end()));
});

async function pair(): Promise<[Process, Process]> {
  const options = { namespace: `a*[${randomUUID()}]`, redis: { url: redis.url, commandTimeout: '10s' as const } };
  const both: [Process, Process] = [new Process(options), new Process(options)];
  running.push(...both);
  await hearEachOther(...both);
  return both;
}

const METACHARACTERS = ['*', '?', '[ab]', '[^a]', '\\', '{x}', 'é', '}:v', 'a:b', ' ', '\n'];

it('drops what matches in Redis and in the hot tier of another process, and leaves the rest', async () => {
  const [a, b] = await pair();
  await a.run(async ({ manager }, keys) => {
    const nested = manager.namespace('nested');
    for (const key of keys) {
      await manager.setMany([`p${key}`, `q${key}`].map((key) => ({ key, value: key })));
      await nested.set(`p${key}`, key);
    }
  }, METACHARACTERS);
  await hasHeardAll(b, a);
  await until('b holds them all', () =>
    b.run(async ({ manager }, keys) => {
      const all = keys.flatMap((key) => [`p${key}`, `q${key}`]);
      await manager.getMany(all);
      return all.every((key) => manager.peek(key) === key);
    }, METACHARACTERS),
  );
  const gone = await a.run(async ({ manager }) => {
    const steps: number[] = [];
    const count = await manager.deletePattern('p*', { batch: 3, onProgress: ({ deleted }) => steps.push(deleted) });
    return { count, steps };
  });
  expect(gone.count).toBe(METACHARACTERS.length);
  expect(gone.steps.at(-1)).toBe(METACHARACTERS.length);
  await hasHeardAll(b, a);
  const left = await b.run(
    async ({ manager }, keys) => ({
      matching: keys.map((key) => manager.peek(`p${key}`)).filter((value) => value !== undefined),
      others: keys.filter((key) => manager.peek(`q${key}`) === `q${key}`),
      read: (await manager.getMany(keys.map((key) => `p${key}`))).filter((value) => value !== undefined),
      nested: (await manager.namespace('nested').getMany(keys.map((key) => `p${key}`))).filter(Boolean),
    }),
    METACHARACTERS,
  );
  expect(left).toEqual({ matching: [], others: METACHARACTERS, read: [], nested: METACHARACTERS });
});

it('each key with metacharacters is deleted alone by its escaped form', async () => {
  const [a] = await pair();
  for (const key of METACHARACTERS) {
    const patterns = [escapePattern(key), `${escapePattern(key)}*`];
    const counts = await a.run(
      async ({ manager }, keys, patterns) => {
        const counts: number[] = [];
        for (const pattern of patterns) {
          await manager.setMany(keys.map((key) => ({ key, value: key })));
          counts.push(await manager.deletePattern(pattern));
        }
        return counts;
      },
      METACHARACTERS,
      patterns,
    );
    expect(counts, key).toEqual([1, 1]);
  }
});

it('a load that is under way in another process is stored nowhere, and the next call loads anew', async () => {
  const [a, b] = await pair();
  const loaded = b.run(async (scope) => {
    return scope.manager.getOrSet('user:1', async () => {
      scope.loads = 1;
      await new Promise((resolve) => (scope['finish'] = resolve));
      return 'old';
    });
  });
  await until('b loads', () => b.run((scope) => scope.loads === 1));
  expect(await a.run(({ manager }) => manager.deletePattern('user:*'))).toBe(0);
  expect(await a.run(({ manager }) => manager.getOrSet('user:1', () => 'new'))).toBe('new');
  await b.run((scope) => scope['finish']());
  expect(await loaded).toBe('old');
  for (const process of [a, b]) {
    expect(await process.run(({ manager }) => manager.get('user:1'))).toBe('new');
  }
});

it('is seen by a worker thread of a manager without Redis in the middle of its turn', async () => {
  const options = { namespace: randomUUID() };
  const manager = new CacheManager(options);
  const isolate = new Isolate(options);
  running.push({ end: () => isolate.terminate() }, { end: () => manager.close() });
  await manager.set('user:1', 'old');
  await manager.set('kept', 'kept');
  const signal = new Int32Array(new SharedArrayBuffer(8));
  const reader = isolate.run(({ manager }, signal) => {
    const before = manager.peek('user:1');
    Atomics.store(signal, 0, 1);
    Atomics.wait(signal, 1, 0, 15_000);
    return [before, manager.peek('user:1'), manager.peek('kept')];
  }, signal);
  await until('the worker reads', () => Atomics.load(signal, 0) === 1);
  expect(await manager.deletePattern('user:*')).toBe(1);
  Atomics.store(signal, 1, 1);
  Atomics.notify(signal, 1);
  expect(await reader).toEqual(['old', undefined, 'kept']);
});

it('an adapter cannot list its keys, and says so before anything is dropped', async () => {
  const manager = new CacheManager({ adapter: new MemoryAdapter() });
  await manager.set('k', 1);
  await expect(manager.deletePattern('*')).rejects.toMatchObject({
    code: 'E_TURBOCACHE_UNSUPPORTED',
    message: expect.stringContaining('list its keys'),
  });
  expect(await manager.get('k')).toBe(1);
  await manager.close();
});

it('a pattern that cannot be read is refused by the engine with its code', async () => {
  const manager = new CacheManager();
  for (const pattern of ['[a', 'a\\', '[c-a]', '[]', 'x'.repeat(3_000)]) {
    await expect(manager.deletePattern(pattern)).rejects.toMatchObject({
      name: 'InvalidArgumentError',
      code: 'E_TURBOCACHE_ARGUMENT',
    });
  }
  await manager.close();
});

it('any text, escaped, stands for itself and nothing else', async () => {
  const manager = new CacheManager();
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '*', '?', '[', ']', '^', '-', '\\', ':', 'é'),
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(text, text, async (text, other) => {
      await manager.setMany([text, other].map((key) => ({ key, value: key })));
      expect(await manager.deletePattern(escapePattern(text))).toBe(1);
      expect(manager.peek(text)).toBeUndefined();
      expect(manager.peek(other)).toBe(other === text ? undefined : other);
      await manager.delete(other);
    }),
  );
  await manager.close();
});
