import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { commands } from '../rig/catch';
import { startProxy } from '../rig/proxy';
import { startRedis } from '../rig/redis';
import { Process } from './elsewhere';

// A machine that stands still (a snapshot, a migration) says nothing about Redis: a deadline is time in which the process ran.

const DEADLINE = 500;

it('a read that was under way when the process stood still for longer than the deadline gives the value', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port, { messages: true });
  const cache = new Process({
    namespace: randomUUID(),
    hot: false,
    memory: false,
    redis: { url: `redis://127.0.0.1:${proxy.port}`, commandTimeout: DEADLINE },
  });
  try {
    await cache.run(({ manager }) => manager.ready());
    await cache.run(({ manager }) => manager.set('k', 'v'));
    for (let time = 0; time < 3; time++) {
      const reply = proxy.hold('reply', commands(['MGET', 'GET'], ':k}'));
      const read = cache.run(({ manager }) => manager.get('k'));
      await reply.caught;
      cache.kill('SIGSTOP');
      await sleep(2 * DEADLINE);
      cache.kill('SIGCONT');
      // It runs again, and its timers that were due have fired.
      await cache.run(() => new Promise((resolve) => setTimeout(resolve, 20)));
      reply.release();
      expect(await read).toBe('v');
    }
    expect(await cache.run(({ errors, manager }) => ({ errors, failed: manager.stats().remote.errors }))).toEqual({
      errors: [],
      failed: 0,
    });
  } finally {
    await cache.end();
    await proxy.close();
    await redis.stop();
  }
}, 30_000);
