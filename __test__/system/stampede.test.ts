import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CacheManagerOptions } from '../../index';
import { startRedis, type RedisServer } from '../rig/redis';
import { startTimeAwake } from '../rig/time-awake';
import { hearEachOther, Process, until, within, type Scope } from './elsewhere';

// One load for all processes that share a Redis, whatever becomes of the one that loads.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const running: Process[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.end()));
});

async function processes(count: number, options: CacheManagerOptions = {}): Promise<Process[]> {
  const shared = { namespace: randomUUID(), redis: { url: redis.url, commandTimeout: '10s' as const }, ...options };
  const started = Array.from({ length: count }, () => new Process(shared));
  running.push(...started);
  await hearEachOther(...started);
  return started;
}

/** Every load lasts until the test sets a key in another namespace. */
async function callers(scope: Scope, count: number): Promise<{ values: string[]; loads: number }> {
  const load = async (): Promise<string> => {
    scope.loads++;
    while ((await scope.manager.namespace('signals').get('go')) === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return 'loaded';
  };
  const all = Array.from({ length: count }, () => scope.manager.getOrSet('cold', load));
  const values = [...new Set(await Promise.all(all))];
  return { values, loads: scope.loads };
}

/** Begins a load that never ends, in that process; resolves when it has begun. */
async function leads(process: Process): Promise<void> {
  process.run((scope) => scope.manager.getOrSet('k', () => new Promise(() => (scope.loads = 1)))).catch(() => {});
  await until('it loads', () => process.run((scope) => scope.loads === 1));
}

describe('a cold key', () => {
  it('that 1,000 callers in each of 8 processes want is loaded once', async () => {
    const eight = await processes(8);
    const answers = eight.map((process) => process.run(callers, 1_000));
    await until('somebody loads', async () => {
      const loads = await Promise.all(eight.map((process) => process.run((scope) => scope.loads)));
      return loads.some((count) => count > 0);
    });
    await eight[0]!.run(({ manager }) => manager.namespace('signals').set('go', true));
    const all = await within(30_000, '8,000 callers', Promise.all(answers));
    expect(all.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
    for (const { values } of all) expect(values).toEqual(['loaded']);
  }, 60_000);

  it('whose loading process is killed is loaded at most once more, within 2 seconds', async () => {
    const [leader, ...others] = await processes(4);
    await leads(leader!);
    const waiting = others.map((process) =>
      process.run(async (scope) => {
        const load = () => `by ${++scope.loads}`;
        const values = await Promise.all(Array.from({ length: 100 }, () => scope.manager.getOrSet('k', load)));
        return { values: [...new Set(values)], loads: scope.loads };
      }),
    );
    for (const process of others) await process.run(({ manager }) => manager.get('behind the others'));
    const time = startTimeAwake();
    leader!.kill('SIGKILL');
    const all = await within(10_000, 'those who wait', Promise.all(waiting));
    expect(time.stop()).toBeLessThan(2_000);
    expect(all.map(({ values }) => values)).toEqual([['by 1'], ['by 1'], ['by 1']]);
    expect(all.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
  });

  it('whose loading process is stopped is loaded by another, and what the first brings is stored nowhere', async () => {
    const [leader, other] = await processes(2);
    const loaded = leader!.run(async (scope) => {
      return scope.manager.getOrSet('k', async () => {
        scope.loads = 1;
        await new Promise((resolve) => (scope['finish'] = resolve));
        return 'old';
      });
    });
    await until('it loads', () => leader!.run((scope) => scope.loads === 1));
    leader!.kill('SIGSTOP');
    const value = other!.run(({ manager }) => manager.getOrSet('k', () => 'new'));
    expect(await within(10_000, 'the other', value)).toBe('new');
    leader!.kill('SIGCONT');
    await leader!.run((scope) => scope['finish']());
    expect(await loaded).toBe('old');
    expect(await other!.run(({ manager }) => manager.get('k'))).toBe('new');
    await until('the first reads the new one', () =>
      leader!.run(async ({ manager }) => (await manager.get('k')) === 'new'),
    );
  });

  it('whose loading process blocks its event loop is left to it', async () => {
    const [leader, other] = await processes(2);
    const blocked = leader!.run(({ manager }) =>
      manager.getOrSet('k', () => {
        const end = Date.now() + 2_500;
        while (Date.now() < end);
        return 'late';
      }),
    );
    const path = await other!.run(({ manager }) => manager.namespacePath);
    await until('it loads', async () => (await redis.cli('EXISTS', `tc:{${path}:k}:l`)) === 1);
    const loaded = await other!.run(async (scope) => {
      const value = await scope.manager.getOrSet('k', () => `by ${++scope.loads}`);
      return { value, loads: scope.loads };
    });
    expect(loaded).toEqual({ value: 'late', loads: 0 });
    expect(await blocked).toBe('late');
  });

  it('that another process loads is loaded here after lockTimeout, and stays here', async () => {
    const [leader, other] = await processes(2);
    await leads(leader!);
    const impatient = await other!.run(async ({ manager }) => {
      const begin = performance.now();
      const atOnce = await manager.getOrSet('k', () => 'mine', { lockTimeout: 0 });
      const first = performance.now() - begin;
      await manager.delete('another');
      return { atOnce, first, peeked: manager.peek('k') };
    });
    expect(impatient).toMatchObject({ atOnce: 'mine', peeked: 'mine' });
    expect(impatient.first).toBeLessThan(1_000);
    const path = await other!.run(({ manager }) => manager.namespacePath);
    expect(await redis.cli('EXISTS', `tc:{${path}:k}:v`)).toBe(0);
  });

  it('whose loader fails is handed on at once', async () => {
    const [leader, other] = await processes(2);
    const failing = leader!.run((scope) =>
      scope.manager.getOrSet('k', async () => {
        scope.loads = 1;
        await new Promise((resolve) => (scope['fail'] = resolve));
        throw new Error('only its caller is told');
      }),
    );
    const failed = expect(failing).rejects.toThrow('only its caller');
    await until('it loads', () => leader!.run((scope) => scope.loads === 1));
    const value = other!.run(({ manager }) => manager.getOrSet('k', () => 'from the other'));
    await other!.run(({ manager }) => manager.get('behind it'));
    await leader!.run((scope) => scope['fail']());
    await failed;
    expect(await within(2_000, 'the other', value)).toBe('from the other');
  });
});
