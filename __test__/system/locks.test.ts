import { randomUUID } from 'node:crypto';
import { CacheManager, MemoryAdapter } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CacheManagerOptions } from '../../index';
import { startRedis, type RedisServer } from '../rig/redis';
import { hearEachOther, Isolate, Process, until, within, type Scope } from './elsewhere';

// Locks of several processes over a real Redis, and of several threads without one.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const running: { end(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.end()));
});

async function processes(count: number): Promise<Process[]> {
  const options = { namespace: randomUUID(), redis: { url: redis.url } };
  const started = Array.from({ length: count }, () => new Process(options));
  running.push(...started);
  await hearEachOther(...started);
  return started;
}

/** Takes the lock and keeps it in its process; the fencing token. */
async function hold(scope: Scope, key: string, ttl: number): Promise<number> {
  const lock = await scope.manager.lock(key, { ttl, wait: null });
  scope['lock'] = lock;
  lock.signal.addEventListener('abort', () => (scope['lost'] = (lock.signal.reason as { code: string }).code));
  return lock.fencingToken;
}

/** Waits for the lock, and gives it back; its token, and how long it took. */
async function pass(scope: Scope, key: string): Promise<{ token: number; took: number }> {
  const begin = performance.now();
  const lock = await scope.manager.lock(key, { wait: null });
  const took = performance.now() - begin;
  await lock.release();
  return { token: lock.fencingToken, took };
}

async function isFree(scope: Scope, key: string): Promise<boolean> {
  try {
    return await (await scope.manager.lock(key, { wait: 0 })).release();
  } catch (error) {
    if ((error as { code?: string }).code === 'E_TURBOCACHE_LOCK_TIMEOUT') return false;
    throw error;
  }
}

describe('over Redis', () => {
  it('one of many callers in three processes holds it at a time, and tokens grow', async () => {
    const three = await processes(3);
    await redis.cli('DEL', 'inside', 'tokens');
    const port = redis.port;
    const crowd = three.map((each) =>
      each.run(async ({ manager }, port) => {
        const { connect } = process.getBuiltinModule('node:net');
        const socket = connect(port, '127.0.0.1');
        const say = (line: string): Promise<string> =>
          new Promise((resolve) => (socket.once('data', (reply) => resolve(String(reply).trim())), socket.write(line)));
        const inside: string[] = [];
        const tokens: number[] = [];
        for (let round = 0; round < 10; round++) {
          const lock = await manager.lock('crowd', { wait: '60s' });
          inside.push(await say('INCR inside\r\n'));
          tokens.push(lock.fencingToken);
          await say(`RPUSH tokens ${lock.fencingToken}\r\n`);
          inside.push(await say('DECR inside\r\n'));
          await lock.release();
        }
        socket.destroy();
        return { inside, tokens };
      }, port),
    );
    const all = await within(60_000, 'the crowd', Promise.all(crowd));
    for (const { inside } of all) expect(new Set(inside)).toEqual(new Set([':1', ':0']));
    const tokens = ((await redis.cli('LRANGE', 'tokens', 0, -1)) as string[]).map(Number);
    expect(tokens).toHaveLength(30);
    expect([...tokens].sort((a, b) => a - b)).toEqual(tokens);
    expect(new Set(tokens).size).toBe(30);
  });

  it('is free after kill -9 of its holder when the ttl has ended', async () => {
    const [holder, next] = await processes(2);
    const token = await holder!.run(hold, 'k', 1_000);
    expect(await next!.run(isFree, 'k')).toBe(false);
    const waiting = next!.run(pass, 'k');
    holder!.kill('SIGKILL');
    const got = await within(5_000, 'the next', waiting);
    expect(got.token).toBeGreaterThan(token);
    expect(got.took).toBeLessThan(2_500);
  });

  it('is lost by a holder that was stopped: its signal is aborted, and the next has a greater token', async () => {
    const [holder, next] = await processes(2);
    const token = await holder!.run(hold, 'k', 500);
    holder!.kill('SIGSTOP');
    const got = await within(5_000, 'the next', next!.run(pass, 'k'));
    expect(got.token).toBeGreaterThan(token);
    holder!.kill('SIGCONT');
    await until('it knows', () => holder!.run((scope) => scope['lost'] === 'E_TURBOCACHE_LOCK_LOST'));
    expect(await holder!.run((scope) => scope['lock'].release())).toBe(false);
    expect(await next!.run(isFree, 'k')).toBe(true);
  });

  it('is kept under an event loop that is blocked for longer than the ttl', async () => {
    const [holder, other] = await processes(2);
    await holder!.run(hold, 'k', 1_000);
    const blocked = holder!.run(({ manager }) => {
      const end = Date.now() + 2_500;
      while (Date.now() < end);
      return manager.namespacePath;
    });
    for (let look = 0; look < 20; look++) {
      expect(await other!.run(isFree, 'k')).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await blocked;
    expect(await holder!.run((scope) => [scope['lost'], scope['lock'].signal.aborted])).toEqual([undefined, false]);
    expect(await holder!.run((scope) => scope['lock'].release())).toBe(true);
  });

  it('is lost when Redis comes back empty, and tokens go on', async () => {
    const [holder, next] = await processes(2);
    const token = await holder!.run(hold, 'k', 1_000);
    await redis.kill();
    await redis.start();
    await until('it knows', () => holder!.run((scope) => scope['lost'] === 'E_TURBOCACHE_LOCK_LOST'));
    const got = await within(10_000, 'the next', next!.run(pass, 'k'));
    expect(got.token).toBeGreaterThan(token);
  });

  it('goes to one who waits as soon as it is released', async () => {
    const [holder, next] = await processes(2);
    await holder!.run(hold, 'k', 10_000);
    const waiting = next!.run(pass, 'k');
    await next!.run(({ manager }) => manager.get('behind it'));
    await holder!.run((scope) => scope['lock'].release());
    await within(2_000, 'the next', waiting);
  });

  it('is released when its manager closes, and keeps no process alive', async () => {
    const [holder, next] = await processes(2);
    await holder!.run(hold, 'closed', 60_000);
    await holder!.run(({ manager }) => manager.close());
    expect(await next!.run(isFree, 'closed')).toBe(true);
    await next!.run(hold, 'open', 60_000);
    expect(await next!.exit()).toMatchObject({ code: 0 });
  });

  it('names a refusal by Redis as the cause when there is no lock to be had', async () => {
    const [holder] = await processes(2);
    await redis.kill();
    const refused = await holder!.run(({ manager }) =>
      manager.lock('k', { wait: 300 }).then(
        () => 'a lock',
        (error: unknown) => `${(error as { code?: string }).code} ${(error as Error).message}`,
      ),
    );
    expect(refused).toMatch(/^E_TURBOCACHE_LOCK_TIMEOUT .*cause: /);
    await redis.start();
    await until('it is to be had again', () => holder!.run(isFree, 'k'));
  });
});

describe('without Redis', () => {
  const together = (): { main: CacheManager; isolate: Isolate } => {
    const options: CacheManagerOptions = { namespace: randomUUID() };
    const main = new CacheManager(options);
    const isolate = new Isolate(options);
    running.push({ end: () => isolate.terminate() }, { end: () => main.close() });
    return { main, isolate };
  };

  it('is one of the process, across its worker threads', async () => {
    const { main, isolate } = together();
    const lock = await main.lock('k');
    expect(await isolate.run(isFree, 'k')).toBe(false);
    const waiting = isolate.run(pass, 'k');
    await lock.release();
    expect((await within(5_000, 'the worker', waiting)).token).toBeGreaterThan(lock.fencingToken);
  });

  it('of a worker that is terminated goes to the next', async () => {
    const { main, isolate } = together();
    const token = await isolate.run(hold, 'k', 60_000);
    const waiting = main.lock('k', { wait: null });
    await isolate.terminate();
    const lock = await within(5_000, 'the main thread', waiting);
    expect(lock.fencingToken).toBeGreaterThan(token);
  });

  it('over an adapter there is none', async () => {
    const manager = new CacheManager({ adapter: new MemoryAdapter() });
    running.push({ end: () => manager.close() });
    await expect(manager.lock('k')).rejects.toMatchObject({ code: 'E_TURBOCACHE_UNSUPPORTED' });
  });
});
