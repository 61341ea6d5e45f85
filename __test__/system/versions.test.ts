import { randomUUID } from 'node:crypto';
import { CacheManager } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cache } from '../../index';
import { startRedis, type RedisServer } from '../rig/redis';
import { hasHeardAll, hearEachOther, Process, until, type Scope } from './elsewhere';

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
  /** Two processes of the new one, with `scope.users` that migrates. */
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
      const value = (old: { name: string }): unknown => ({ fullName: old.name });
      scope['users'] = scope.manager.cache('users', { version: 2, migrate: { from: 1, value } });
    });
  }
  return { old, a, b };
}

/** The key `k` as `getOrSet` gives it. */
const load = ({ users }: Scope): Promise<unknown> => (users as Cache).getOrSet('k', () => 'loaded');
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
    const open = (scope: Scope): void => void (scope['users'] = scope.manager.cache('users', { version: 3 }));
    for (const process of [a, b]) await process.run(open);
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

describe('what the old deploy has', () => {
  it('is taken over with its ttl and its tags, without a load, for all of the new one', async () => {
    const both = await deploys();
    await storeIn(both);
    const { old, a, b } = both;
    expect(await a.run(load)).toEqual({ fullName: 'Ada' });
    const entry = await a.run(({ users }) => (users as Cache).getEntry('k'));
    expect(entry).toMatchObject({ value: { fullName: 'Ada' }, tags: ['t', 'u'] });
    // The manager's own ttl is five minutes.
    expect(entry!.ttl).toBeGreaterThan(50 * 60_000);
    expect(entry!.ttl).toBeLessThanOrEqual(60 * 60_000);
    await hasHeardAll(b, a);
    expect(await b.run(load)).toEqual({ fullName: 'Ada' });
    expect(await old.run(read)).toEqual({ name: 'Ada' });
  });

  it('is taken over by getOrSetMany, and the rest is loaded', async () => {
    const both = await deploys();
    await storeIn(both);
    const values = both.a.run(async ({ users }) => {
      const load = (keys: string[]): string[] => keys.map((key) => `loaded ${key}`);
      return (users as Cache).getOrSetMany<unknown>(['k', 'l'], load);
    });
    expect(await values).toEqual([{ fullName: 'Ada' }, 'loaded l']);
  });

  it('is taken over in memory without Redis, too', async () => {
    const manager = new CacheManager();
    await manager.cache('users', { version: 1 }).set('k', 1, { ttl: '1h', tags: ['t'] });
    const migrate = { from: 1, value: (old: number) => old + 1 };
    const users = manager.cache('users', { version: 2, migrate });
    expect(await users.getOrSet('k', () => 'loaded')).toBe(2);
    expect(await users.getEntry('k')).toMatchObject({ value: 2, tags: ['t'] });
    await users.invalidateTags(['t']);
    expect(await users.getOrSet('k', () => 'loaded')).toBe('loaded');
    await manager.close();
  });

  it('goes with what it became when the old deploy invalidates around both', async () => {
    const both = await deploys();
    await storeIn(both);
    expect(await both.a.run(load)).toEqual({ fullName: 'Ada' });
    await both.old.run(({ manager }) => manager.invalidateTags(['t']));
    for (const process of [both.a, both.b]) await hasHeardAll(process, both.old);
    expect(await both.b.run(load)).toBe('loaded');
  });
});

describe('what the new deploy has changed', () => {
  const changes: [string, (users: Cache) => Promise<unknown>][] = [
    ['delete', (users) => users.delete('k')],
    ['deleteMany', (users) => users.deleteMany(['j', 'k'])],
    ['expire', (users) => users.expire('k')],
    ['set, and then expired', (users) => users.set('k', 'new').then(() => users.expire('k'))],
    ['invalidateTags', (users) => users.invalidateTags(['t'])],
    ['invalidateTags of all', (users) => users.invalidateTags(['t', 'u'], { mode: 'all', soft: true })],
    ['deletePattern', (users) => users.deletePattern('[j-l]')],
    ['clear', (users) => users.clear()],
  ];
  const run = ({ users }: Scope, source: string): Promise<unknown> =>
    ((0, eval)(`(${source})`) as (users: Cache) => Promise<unknown>)(users as Cache);

  it.each(changes)('by %s is not brought back by another process of it', async (_, change) => {
    const both = await deploys();
    await storeIn(both);
    await both.a.run(run, change.toString());
    expect(await both.b.run(load)).toBe('loaded');
    expect(await both.old.run(read)).toBeUndefined();
  });

  it('by a set that has ended is not brought back either', async () => {
    const both = await deploys();
    await storeIn(both);
    await both.a.run(({ users }) => (users as Cache).set('k', 'new', { ttl: 50 }));
    await until('the new value has ended', async () => (await both.b.run(read)) === undefined);
    expect(await both.b.run(load)).toBe('loaded');
  });

  it.each(changes)('by %s while another process has read the old value is stored by nobody', async (_, change) => {
    const both = await deploys();
    await storeIn(both);
    const { a, b } = both;
    await b.run((scope) => {
      const held = new Promise((resolve) => (scope['finish'] = resolve));
      scope['called'] = new Promise((tell) => {
        const value = (old: unknown): unknown => (tell(old), held);
        scope['users'] = scope.manager.cache('users', { version: 4, migrate: { from: 1, value } });
      });
    });
    await a.run((scope) => {
      scope['users'] = scope.manager.cache('users', { version: 4, migrate: { from: 1, value: (old) => old } });
    });
    const loading = b.run(load);
    expect(await b.run(({ called }) => called)).toEqual({ name: 'Ada' });
    await a.run(run, change.toString());
    await b.run(({ finish }) => finish('migrated'));
    expect(await loading).toBe('migrated');
    expect(await a.run(load)).toBe('loaded');
    await hasHeardAll(b, a);
    expect(await b.run(load)).toBe('loaded');
  });
});
