import { randomUUID } from 'node:crypto';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../rig/port';
import { runSource, type Script } from '../rig/processes';
import { startProxy, type FaultProxy } from '../rig/proxy';
import { startRedis, type RedisServer } from '../rig/redis';

// A cache never keeps a process alive that has nothing else to do, and never lets it end under a caller who waits.

const entry = pathToFileURL(fileURLToPath(new URL('../../index.mjs', import.meta.url))).href;

let redis: RedisServer;
let frozen: RedisServer;
let slow: FaultProxy;
let absent: string;
beforeAll(async () => {
  [redis, frozen] = await Promise.all([startRedis(), startRedis()]);
  await frozen.kill('SIGSTOP');
  slow = await startProxy(redis.port);
  slow.delay(100);
  absent = `redis://127.0.0.1:${await freePort()}`;
});
afterAll(async () => {
  await slow.close();
  await Promise.all([redis.stop(), frozen.stop()]);
});

/** Every state of Redis in which a process may have to end. */
const servers: [string, () => string | null][] = [
  ['without Redis', () => null],
  ['with Redis', () => redis.url],
  ['with a slow Redis', () => `redis://127.0.0.1:${slow.port}`],
  ['with a frozen Redis', () => frozen.url],
  ['with Redis absent', () => absent],
];

/** A program with `manager` in scope. */
function program(url: string | null, body: string): Script {
  const options = { namespace: randomUUID(), ...(url === null ? {} : { redis: { url } }) };
  const source = `
    import { CacheManager } from ${JSON.stringify(entry)};
    const manager = new CacheManager(${JSON.stringify(options)});
    ${body}`;
  return runSource(source, { type: 'module' });
}

describe.each(servers)('a process %s', (_, url) => {
  it('ends by itself without close()', async () => {
    expect(await program(url(), '').exit()).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('ends by itself after use, without close()', async () => {
    const used = program(
      url(),
      `await manager.set('k', 1); await manager.getOrSet('l', () => 2); await manager.delete('k');`,
    );
    expect(await used.exit()).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('ends by itself after close()', async () => {
    const closed = program(
      url(),
      `await manager.set('k', 1); await manager.close(); await manager.close(); console.log('closed');`,
    );
    expect(await closed.line()).toBe('closed');
    expect(await closed.exit()).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('ends by itself after close() without a word in between', async () => {
    expect(await program(url(), `await manager.close();`).exit()).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('lives until what it awaits at the top level is answered', async () => {
    const waiting = program(url(), `
      console.log(JSON.stringify(await manager.get('absent') ?? 'nothing'));
      console.log(JSON.stringify(await manager.getOrSet('cold', async () => 'loaded')));`); // prettier-ignore
    expect(await waiting.line()).toBe('"nothing"');
    expect(await waiting.line()).toBe('"loaded"');
    expect(await waiting.exit()).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('ends at once with process.exit(), whatever is on its way', async () => {
    const leaving = program(url(), `
      for (let index = 0; index < 1_000; index++) {
        void manager.set('k' + index, index);
        void manager.getOrSet('l' + index, () => new Promise(() => {}));
      }
      setImmediate(() => process.exit(7));`); // prettier-ignore
    expect(await leaving.exit()).toEqual({ code: 7, signal: null, stderr: '' });
  });

  it('ends with an uncaught error of its own', async () => {
    const failing = program(
      url(),
      `void manager.get('k'); setImmediate(() => { throw new Error('of the program'); });`,
    );
    const ending = await failing.exit();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain('of the program');
  });
});

describe('a process', () => {
  it('that ends without awaiting its writes has written them', async () => {
    const namespace = randomUUID();
    const writing = runSource(`
      import { CacheManager } from ${JSON.stringify(entry)};
      const manager = new CacheManager({ namespace: ${JSON.stringify(namespace)}, redis: { url: ${JSON.stringify(redis.url)}, connectTimeout: '10s', commandTimeout: '10s' } });
      for (let index = 0; index < 100; index++) void manager.set('k' + index, index);`, { type: 'module' }); // prettier-ignore
    expect(await writing.exit()).toEqual({ code: 0, signal: null, stderr: '' });
    const written = await redis.cli('KEYS', `tc:{${namespace}:*:v`);
    expect(written).toHaveLength(100);
  });

  it('waits in close() for running loads, and stores what they bring', async () => {
    const namespace = randomUUID();
    const closing = runSource(`
      import { CacheManager } from ${JSON.stringify(entry)};
      const manager = new CacheManager({ namespace: ${JSON.stringify(namespace)}, redis: { url: ${JSON.stringify(redis.url)}, connectTimeout: '10s', commandTimeout: '10s' } });
      await manager.ready();
      let finish;
      const loaded = manager.getOrSet('k', () => new Promise((resolve) => (finish = resolve)));
      while (finish === undefined) await new Promise(setImmediate);
      const closed = manager.close();
      finish('loaded');
      await closed;
      console.log(await loaded);`, { type: 'module' }); // prettier-ignore
    expect(await closing.line()).toBe('loaded');
    expect(await closing.exit()).toEqual({ code: 0, signal: null, stderr: '' });
    expect(await redis.cli('KEYS', `tc:{${namespace}:*:v`)).toHaveLength(1);
  });

  it('with worker threads that use the cache ends when they have', async () => {
    const workers = runSource(`
      import { Worker } from 'node:worker_threads';
      import { CacheManager } from ${JSON.stringify(entry)};
      const manager = new CacheManager({ namespace: 'shared' });
      await manager.set('k', 1);
      const source = ${JSON.stringify(`
        import(${JSON.stringify(entry)}).then(async ({ CacheManager }) => {
          const manager = new CacheManager({ namespace: 'shared' });
          if ((await manager.get('k')) !== 1) process.exit(1);
        });`)};
      for (let index = 0; index < 4; index++) new Worker(source, { eval: true });`, { type: 'module' }); // prettier-ignore
    expect(await workers.exit()).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('with a hundred managers, half of them closed, ends by itself', async () => {
    const many = runSource(`
      import { CacheManager } from ${JSON.stringify(entry)};
      const managers = Array.from({ length: 100 }, () => new CacheManager({ redis: { url: ${JSON.stringify(redis.url)} } }));
      await Promise.all(managers.map((manager, index) => manager.set('k', index)));
      await Promise.all(managers.slice(50).map((manager) => manager.close()));`, { type: 'module' }); // prettier-ignore
    expect(await many.exit(30_000)).toEqual({ code: 0, signal: null, stderr: '' });
  }, 40_000);
});
