import { randomUUID } from 'node:crypto';
import { CacheManager } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cache } from '../../index';
import { startRedis, type RedisServer } from '../rig/redis';
import { hasHeardAll, hearEachOther, Process, type Scope } from './elsewhere';

// Deploys of two versions beside each other, each a process of its own, over one real Redis.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const running: Process[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.end()));
});

interface Deploys {
  old: Process;
  /** Two processes of the new one. */
  a: Process;
  b: Process;
}

async function deploys(): Promise<Deploys> {
  const options = { namespace: randomUUID(), redis: { url: redis.url, commandTimeout: '10s' as const } };
  const [old, a, b] = [1, 2, 3].map(() => new Process(options)) as [Process, Process, Process];
  running.push(old, a, b);
  for (const process of running) await process.run(({ manager }) => manager.ready());
  await hearEachOther(...running);
  await old.run((scope) => {
    scope['users'] = scope.manager.cache('users', { version: 1, ttl: '1h' });
  });
  for (const process of [a, b]) {
    await process.run((scope) => {
      scope['users'] = scope.manager.cache('users', { version: 2 });
    });
  }
  return { old, a, b };
}

const read = ({ users }: Scope): Promise<unknown> => (users as Cache).get('k');

/** The old deploy stores a value, and the others have heard of it. */
async function storeIn({ old, a, b }: Deploys): Promise<void> {
  await old.run(({ users }) => (users as Cache).set('k', { name: 'Ada' }, { tags: ['t', 'u'] }));
  for (const process of [a, b]) await hasHeardAll(process, old);
}

describe('two versions', () => {
  it('live side by side and share nothing', async () => {
    const both = await deploys();
    await storeIn(both);
    const { old, a, b } = both;
    await a.run(({ users }) => (users as Cache).set('k', 'new', { tags: ['t'] }));
    await hasHeardAll(b, a);
    expect(await b.run(read)).toBe('new');
    expect(await old.run(read)).toEqual({ name: 'Ada' });
    await b.run(({ users }) => (users as Cache).invalidateTags(['u']));
    await b.run(({ users }) => (users as Cache).clear());
    await hasHeardAll(old, b);
    expect(await a.run(read)).toBeUndefined();
    expect(await old.run(read)).toEqual({ name: 'Ada' });
  });

  it('of one process share nothing in memory', async () => {
    const manager = new CacheManager();
    const [one, two] = [1, 2].map((version) => manager.cache('users', { version }));
    const values = (): Promise<unknown[]> => Promise.all([one!.get('k'), two!.get('k')]);
    for (const cache of [one!, two!]) await cache.set('k', 1, { tags: ['t'] });
    await two!.invalidateTags(['t']);
    expect(await values()).toEqual([1, undefined]);
    await two!.set('k', 2);
    await one!.clear();
    expect(await values()).toEqual([undefined, 2]);
    await manager.close();
  });
});
