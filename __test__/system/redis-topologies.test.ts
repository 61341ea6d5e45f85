import { randomUUID } from 'node:crypto';
import { CacheManager } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RedisOptions, TurboCacheError } from '../../index';
import { startCluster, type RedisCluster } from '../rig/cluster';
import { startRedis, type RedisServer } from '../rig/redis';
import { startSentinels, type SentinelTrio } from '../rig/sentinel';
import { Process, until } from './elsewhere';

// The same cache over one server, over a master that Sentinels watch, and over a Cluster.

let single: RedisServer;
let trio: SentinelTrio;
let cluster: RedisCluster;
beforeAll(async () => {
  [single, trio, cluster] = await Promise.all([startRedis(), startSentinels(), startCluster()]);
}, 60_000);
afterAll(() => Promise.all([single.stop(), trio.stop(), cluster.stop()]));

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function manager(redis: RedisOptions, namespace: string = randomUUID()) {
  const manager = new CacheManager({ namespace, redis });
  const errors: TurboCacheError[] = [];
  const warnings: TurboCacheError[] = [];
  manager.on('error', (error) => errors.push(error));
  manager.on('warning', (warning) => warnings.push(warning));
  open.push(() => manager.close());
  return { manager, errors, warnings };
}

function process(redis: RedisOptions, namespace: string): Process {
  const process = new Process({ namespace, redis });
  open.push(() => process.end());
  return process;
}

describe.each<[string, () => RedisOptions]>([
  // A busy machine may be late: what a deadline costs is the subject of other tests.
  ['one server', () => ({ url: single.url, commandTimeout: '10s' })],
  ['a master behind Sentinels', () => ({ sentinel: trio.options, commandTimeout: '10s' })],
  ['a Cluster', () => ({ cluster: cluster.urls, commandTimeout: '10s' })],
])('over %s', (_, redis) => {
  const KEYS = Array.from({ length: 60 }, (_, number) => `user:${number}`);

  it('processes share what one of them writes, and forget what one of them makes old', async () => {
    const { manager: cache, errors, warnings } = manager({ ...redis(), required: true });
    await cache.ready();
    const other = process(redis(), cache.namespacePath);
    const values = (): Promise<unknown[]> => other.run(({ manager }, keys) => manager.getMany(keys), KEYS);

    await cache.setMany(KEYS.map((key, value) => ({ key, value, tags: [value % 2 === 0 ? 'even' : 'odd'] })));
    await until('the other reads them', async () => (await values()).every((value, number) => value === number));
    await cache.delete(KEYS[1]!);
    await until('a delete is heard', async () => (await values())[1] === undefined);
    await cache.invalidateTags(['even']);
    await until('a tag is heard', async () => {
      const found = await values();
      return found.every((value, number) => value === (number % 2 === 0 || number === 1 ? undefined : number));
    });
    await cache.clear();
    await until('a clear is heard', async () => (await values()).every((value) => value === undefined));
    expect({ errors, warnings, remote: cache.stats().remote.errors }).toEqual({ errors: [], warnings: [], remote: 0 });
  });

  it('processes load a cold key once, and the others get what the first has loaded', async () => {
    const { manager: cache } = manager(redis());
    await cache.ready();
    const other = process(redis(), cache.namespacePath);
    await until('the other is connected', () =>
      other.run(async ({ manager }) => (await manager.set('probe', 1), manager.stats().remote.state === 'up')),
    );
    let loads = 0;
    const slow = async (): Promise<string> => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return 'here';
    };
    const here = cache.getOrSet('cold', slow);
    await until('it is loading', () => loads === 1);
    const there = other.run((scope) =>
      scope.manager.getOrSet('cold', () => {
        scope.loads++;
        return 'there';
      }),
    );
    expect([await here, await there]).toEqual(['here', 'here']);
    expect(await other.run(({ loads }) => loads)).toBe(0);
  });

  it('keys are deleted by their pattern on every server', async () => {
    const { manager: cache } = manager(redis());
    await cache.ready();
    await cache.setMany(KEYS.map((key, value) => ({ key, value })));
    await cache.set('kept', 1);
    expect(await cache.deletePattern('user:*')).toBe(KEYS.length);
    const { manager: fresh } = manager(redis(), cache.namespacePath);
    await fresh.ready();
    expect(await fresh.getMany([...KEYS, 'kept'])).toEqual([...KEYS.map(() => undefined), 1]);
  });
});

describe('what Redis lacks', () => {
  it('is one warning event with its code, and is shown while it lasts', async () => {
    await single.cli('ACL', 'SETUSER', 'scriptless', 'on', '>secret', '~*', '&*', '+@all', '-eval');
    const url = single.url.replace('redis://', 'redis://scriptless:secret@');
    const { manager: cache, warnings } = manager({ url });
    const use = async (): Promise<void> => {
      expect(await cache.getOrSet(randomUUID(), () => 'loaded')).toBe('loaded');
    };
    await until('the event', async () => (await use(), warnings.length > 0));
    for (let call = 0; call < 5; call++) await use();
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // one more look of the manager
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ name: 'RemoteError', code: 'E_TURBOCACHE_REFUSED', option: 'eval' });
    expect(warnings[0]!.message).toMatch(/Lost: .*What still holds: /);
    expect(cache.stats().remote.warnings).toMatchObject([{ code: 'E_TURBOCACHE_REFUSED', about: 'eval' }]);
    await single.cli('ACL', 'SETUSER', 'scriptless', '+eval');
    await until('it is over', async () => (await use(), cache.stats().remote.warnings.length === 0));
  });

  it('of a Cluster: a node that is frozen costs its keys, and says so', async () => {
    const { manager: cache, warnings, errors } = manager({ cluster: cluster.urls });
    await cache.ready();
    const state = await cluster.ownerOf(`tc:{${cache.namespacePath}}:g`);
    const frozen = cluster.nodes.find((node) => node !== state)!;
    await frozen.kill('SIGSTOP');
    try {
      await until('the event', async () => {
        for (let call = 0; call < 10; call++) await cache.set(`key ${call}`, call);
        return warnings.length > 0;
      });
      expect(warnings[0]).toMatchObject({ code: 'E_TURBOCACHE_TOPOLOGY', option: 'redis.cluster' });
      expect(warnings[0]!.message).toContain('1 of 3 masters do not answer');
      expect(cache.stats().remote.state).toBe('up');
      for (let call = 0; call < 50; call++) expect(await cache.getOrSet(`cold ${call}`, () => call)).toBe(call);
    } finally {
      await frozen.kill('SIGCONT');
    }
    await until('it is over', () => cache.stats().remote.warnings.length === 0);
    expect(errors).toEqual([]);
  });
});

describe('an address that leads to something else', () => {
  it.each<[string, () => RedisOptions, string, RegExp, string]>([
    [
      'a master’s name that the Sentinels do not know',
      () => ({ sentinel: { ...trio.options, name: 'shopp' } }),
      'redis.sentinel.name',
      /^3 of 3 Sentinels do not know the name.* Lost: .*'shopp'\. What still holds: memory, and one load a process/,
      "the master's name, as in `sentinel monitor <name> …`",
    ],
    [
      'one server where a Cluster is named',
      () => ({ cluster: [single.url] }),
      'redis.cluster',
      /^No node tells the slots of the Cluster: .*cluster support disabled.* Lost: what Redis holds.* What still holds: memory, and one load a process\.$/,
      'addresses of nodes of one Cluster, which answer CLUSTER SLOTS',
    ],
  ])('%s is one warning that says what is lost, and answers everything', async (_, redis, option, says, expected) => {
    const { manager: cache, warnings } = manager(redis());
    await until('the event', async () => {
      await cache.set('k', 1);
      expect(await cache.getOrSet(randomUUID(), () => 'loaded')).toBe('loaded');
      return warnings.length > 0;
    });
    expect(warnings).toMatchObject([{ name: 'RemoteError', code: 'E_TURBOCACHE_TOPOLOGY', option, expected }]);
    expect(warnings[0]!.message).toMatch(says);
    expect(cache.stats().remote.warnings).toMatchObject([{ code: 'E_TURBOCACHE_TOPOLOGY', about: option }]);
  });
});

// Last: it changes who the master is.
describe('a master that dies', () => {
  it('is followed to the replica that its Sentinels promote, without an error for any caller', async () => {
    const { manager: cache } = manager({ sentinel: trio.options });
    await cache.ready();
    await cache.set('before', 1);
    const other = process({ sentinel: trio.options }, cache.namespacePath);
    await trio.servers[0]!.kill();
    let calls = 0;
    await until('the new master is used', async () => {
      calls++;
      await cache.set('after', 'set');
      expect(await cache.getOrSet(`cold ${calls}`, () => 'loaded')).toBe('loaded');
      return (await other.run(({ manager }) => manager.get('after'))) === 'set';
    });
    await cache.delete('after');
    await until('the other hears of changes again', () =>
      other.run(({ manager }) => manager.peek('after') === undefined),
    );
    expect(cache.stats().remote.state).toBe('up');
  });
});
