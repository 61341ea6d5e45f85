/** Answers of Redis reach JavaScript in batches that belong to no caller: each must go on in the context that asked. */
import { CacheManager } from 'turbocache-js';
import { TurboCacheContext } from 'turbocache-js/nest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProxy, type FaultProxy } from '../rig/proxy';
import { startRedis, type RedisServer } from '../rig/redis';
import { Process } from './elsewhere';

let redis: RedisServer;
let proxy: FaultProxy;
let manager: CacheManager;
const tenants = Array.from({ length: 50 }, (_, i) => `t${i}`);
const tenant = (): unknown => TurboCacheContext.get('tenant');
const as = <T>(name: string, body: () => T): T => TurboCacheContext.run({ tenant: name }, body);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

beforeEach(async () => {
  proxy = await startProxy(redis.port);
  const url = `redis://127.0.0.1:${proxy.port}`;
  manager = new CacheManager({ namespace: 'context', redis: { url, commandTimeout: '10s' } });
  await manager.ready();
});
afterEach(async () => {
  await manager.close();
  await proxy.close();
});

describe('the context behind the native boundary', () => {
  it('is that of the caller when its loader begins, goes on, and has been answered', async () => {
    const begun: unknown[] = [];
    const wentOn: unknown[] = [];
    proxy.holdReplies();
    const asked = tenants.map((name) =>
      as(name, async () => {
        const value = await manager.getOrSet(`load:${name}`, async () => {
          begun.push(tenant());
          await manager.get(`other:${name}`);
          wentOn.push(tenant());
          return name;
        });
        return [value, tenant()];
      }),
    );
    await turn();
    // No loader has begun: all of them will from answers of Redis.
    expect(begun).toEqual([]);
    proxy.releaseReplies();
    expect(await Promise.all(asked)).toEqual(tenants.map((name) => [name, name]));
    expect([new Set(begun), new Set(wentOn)]).toEqual([new Set(tenants), new Set(tenants)]);
  });

  it('is that of the caller in a loader for many keys', async () => {
    const bulk = (name: string): Promise<unknown[]> =>
      as(name, () => manager.getOrSetMany([`a:${name}`, `b:${name}`], async (keys) => keys.map(() => tenant())));
    proxy.holdReplies();
    const asked = tenants.map(bulk);
    await turn();
    proxy.releaseReplies();
    expect(await Promise.all(asked)).toEqual(tenants.map((name) => [name, name]));
  });

  it('is that of each caller who joined the load of another', async () => {
    proxy.holdReplies();
    const asked = tenants.map((name) =>
      as(name, async () => [await manager.getOrSet('joined', async () => tenant()), tenant()]),
    );
    await turn();
    proxy.releaseReplies();
    const answers = await Promise.all(asked);
    expect(answers.map(([, own]) => own)).toEqual(tenants);
    // One of them has loaded, as himself.
    expect(new Set(answers.map(([value]) => value))).toEqual(new Set(['t0']));
  });

  it('is that of who waited for the load of another process', async () => {
    const other = new Process({ namespace: 'context', redis: { url: redis.url } });
    try {
      await other.run((scope) => {
        const loading = scope.manager.getOrSet('elsewhere', () => new Promise((end) => (scope['end'] = end)));
        scope['loading'] = loading;
        return new Promise<void>((begun) => {
          const look = (): void => (scope['end'] === undefined ? void setImmediate(look) : begun());
          look();
        });
      });
      const waiting = tenants.map((name) =>
        as(name, async () => [await manager.getOrSet('elsewhere', async () => 'mine'), tenant()]),
      );
      await turn();
      await other.run(async (scope) => {
        scope['end']('loaded');
        await scope['loading'];
      });
      expect(await Promise.all(waiting)).toEqual(tenants.map((name) => ['loaded', name]));
    } finally {
      await other.end();
    }
  });

  it('is that of the caller whose hit began a refresh', async () => {
    const loads: unknown[] = [];
    const read = (name: string): Promise<unknown> =>
      as(name, () =>
        manager.getOrSet('refreshed', async () => loads.push(tenant()), { ttl: '1m', eagerRefresh: 0.000_001 }),
      );
    await read('first');
    while (loads.length < 2) {
      await read('second');
      await turn();
    }
    expect(loads.slice(0, 2)).toEqual(['first', 'second']);
  });
});
