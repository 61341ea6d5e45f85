import { Injectable } from '@nestjs/common';
import { defer, lastValueFrom, Observable, of } from 'rxjs';
import { CacheManager } from 'turbocache-js';
import {
  cacheKey,
  TurboCache,
  TurboCacheContext,
  TurboCacheContextModule,
  TurboCacheDefaults,
  TurboCacheEvict,
  TurboCacheMemo,
  TurboCachePut,
} from 'turbocache-js/nest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { errorOf, startWith } from './fixture';

@Injectable()
class Users {
  calls = 0;

  @TurboCache('user:#{id}:#{context.tenant}')
  async find(id: number): Promise<unknown> {
    await new Promise((resolve) => setImmediate(resolve));
    return { id, tenant: TurboCacheContext.get('tenant'), call: (this.calls += 1) };
  }

  @TurboCache({ key: 'greeting:#{context.user.name}:#{context.locale?}' })
  async greet(): Promise<string> {
    return `${(this.calls += 1)}`;
  }

  @TurboCache({ key: 'n:#{n}', varyBy: ['tenant', 'locale'], returns: 'value' })
  value(n: number): unknown {
    return [n, TurboCacheContext.get('tenant'), (this.calls += 1)];
  }

  @TurboCachePut({ key: 'u:#{id}', varyBy: ['tenant'] })
  async save(id: number): Promise<unknown> {
    return { id, tenant: TurboCacheContext.get('tenant') };
  }

  @TurboCacheEvict({ key: 'u:#{id}', varyBy: ['tenant'] })
  async drop(id: number): Promise<number> {
    return id;
  }

  @TurboCacheEvict({ pattern: 'u:*', varyBy: ['tenant'] })
  async dropAll(): Promise<void> {}
}

const as = <T>(tenant: string, body: () => T): T => TurboCacheContext.run({ tenant }, body);

describe('values of the context in keys', () => {
  it('keep what belongs to one tenant from another', async () => {
    const { app, failures } = await startWith([Users]);
    const users = app.get(Users);
    const [acme, other] = await Promise.all(['acme', 'other'].map((tenant) => as(tenant, () => users.find(1))));
    expect([acme, other]).toMatchObject([{ tenant: 'acme' }, { tenant: 'other' }]);
    expect(await as('acme', () => users.find(1))).toEqual(acme);
    expect(users.calls).toBe(2);
    expect(await app.get(CacheManager).has('user:1:acme')).toBe(true);
    expect(as('acme', () => cacheKey('user:#{id}:#{context.tenant}', { id: 1 }))).toBe('user:1:acme');
    expect(failures).toEqual([]);
  });

  it('follow paths, and may be missing only if they say so', async () => {
    const { app, failures } = await startWith([Users]);
    const users = app.get(Users);
    const ada = { user: { name: 'ada' } };
    for (let i = 0; i < 2; i++) expect(await TurboCacheContext.run(ada, () => users.greet())).toBe('1');
    expect(await app.get(CacheManager).has('greeting:ada:~undefined')).toBe(true);
    expect([await users.greet(), await users.greet()]).toEqual(['2', '3']);
    expect(failures).toHaveLength(2);
    expect(failures[0]).toMatchObject({ operation: 'key', error: { code: 'E_TURBOCACHE_DECORATOR', option: 'key' } });
  });

  it('may be said by `varyBy`, for every decorator, and nothing is cached without them', async () => {
    const { app, failures } = await startWith([Users]);
    const [users, manager] = [app.get(Users), app.get(CacheManager)];
    for (const tenant of ['a', 'b']) await as(tenant, () => users.save(1));
    expect(await manager.getMany(['u:1', 'u:1:~("a")', 'u:1:~("b")'])).toMatchObject([
      undefined,
      { tenant: 'a' },
      { tenant: 'b' },
    ]);
    await as('a', () => users.drop(1));
    expect(await manager.getMany(['u:1:~("a")', 'u:1:~("b")'])).toMatchObject([undefined, { tenant: 'b' }]);
    await as('a', () => users.save(2));
    await as('b', () => users.dropAll());
    expect(await manager.getMany(['u:2:~("a")', 'u:1:~("b")'])).toMatchObject([{ tenant: 'a' }, undefined]);

    const both = { tenant: 'a', locale: 'en' };
    expect(TurboCacheContext.run(both, () => [users.value(1), users.value(1)])).toEqual([
      [1, 'a', 1],
      [1, 'a', 1],
    ]);
    expect(failures).toEqual([]);
    expect([as('a', () => users.value(1)), users.value(1)]).toEqual([
      [1, 'a', 2],
      [1, undefined, 3],
    ]);
    expect(failures.map(({ error }) => error.option)).toEqual(['varyBy', 'varyBy']);
  });

  it('may be said for a whole class, and for those that extend it', async () => {
    @TurboCacheDefaults({ varyBy: ['tenant'] })
    class Base {
      calls = 0;

      @TurboCache('base:#{id}')
      async find(id: number): Promise<number> {
        return (this.calls += 1) + 0 * id;
      }
    }
    @Injectable()
    @TurboCacheDefaults({ varyBy: ['locale'] })
    class Derived extends Base {}

    const { app } = await startWith([Derived]);
    const find = (tenant: string, locale: string) =>
      TurboCacheContext.run({ tenant, locale }, () => app.get(Derived).find(1));
    expect([await find('a', 'en'), await find('b', 'en'), await find('a', 'no'), await find('a', 'en')]).toEqual([
      1, 2, 3, 1,
    ]);
    expect(await app.get(CacheManager).has('base:1:~("a","en")')).toBe(true);
  });
});

describe('the context', () => {
  it('is that of the caller in the loader, behind the native boundary, and behind the answer', async () => {
    const manager = new CacheManager();
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((tenant) =>
        as(tenant, async () => {
          const inside = await manager.getOrSet(`k:${tenant}`, async () => {
            await new Promise((resolve) => setImmediate(resolve));
            return TurboCacheContext.get('tenant');
          });
          await manager.getMany(['x', 'y']);
          return [inside, TurboCacheContext.get('tenant')];
        }),
      ),
    );
    expect(seen).toEqual(['a', 'b', 'c'].map((tenant) => [tenant, tenant]));
    await manager.close();
  });

  it('nests: inner values hide outer ones, and what is set stays inside', () => {
    TurboCacheContext.run({ tenant: 'a', locale: 'en' }, () => {
      TurboCacheContext.run({ tenant: 'b' }, () => {
        expect([TurboCacheContext.get('tenant'), TurboCacheContext.get('locale')]).toEqual(['b', 'en']);
        TurboCacheContext.set('locale', 'no');
        expect(TurboCacheContext.get('locale')).toBe('no');
      });
      expect([TurboCacheContext.get('tenant'), TurboCacheContext.get('locale')]).toEqual(['a', 'en']);
    });
    expect(TurboCacheContext.get('tenant')).toBeUndefined();
    expect(TurboCacheContext.isOpen).toBe(false);
  });

  it('that is not there cannot be changed', () => {
    expect(errorOf(() => TurboCacheContext.set('tenant', 'a')).code).toBe('E_TURBOCACHE_ARGUMENT');
  });

  describe('with Redis', () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedis();
    });
    afterAll(() => redis.stop());

    it('comes along to loaders that wait for the server', async () => {
      const { app } = await startWith([Users], { redis: { url: redis.url } });
      await app.get(CacheManager).ready();
      const tenants = Array.from({ length: 50 }, (_, i) => `t${i}`);
      const found = await Promise.all(tenants.map((tenant) => as(tenant, () => app.get(Users).find(1))));
      expect(found).toMatchObject(tenants.map((tenant) => ({ tenant })));
    });
  });
});

describe('@TurboCacheMemo', () => {
  @Injectable()
  class Rows {
    calls = 0;

    @TurboCacheMemo('row:#{id}')
    @TurboCache({ key: 'row:#{id}', condition: () => false })
    async find(id: number): Promise<{ id: number; call: number }> {
      if (id < 0) throw new Error(`call ${(this.calls += 1)}`);
      return { id, call: (this.calls += 1) };
    }

    @TurboCacheMemo()
    async byDefault(filter: object): Promise<unknown> {
      return [filter, (this.calls += 1)];
    }

    @TurboCacheMemo({ key: 'value:#{id}', returns: 'value' })
    value(id: number): number | undefined {
      this.calls += 1;
      return id === 0 ? undefined : this.calls;
    }

    @TurboCacheMemo('observed')
    observed(): Observable<number> {
      return defer(() => of(0, (this.calls += 1)));
    }

    @TurboCacheMemo('missing:#{id}')
    async missing(id?: number): Promise<unknown> {
      return [id, (this.calls += 1)];
    }

    @TurboCacheEvict('row:#{id}')
    async change(id: number): Promise<number> {
      return id;
    }

    @TurboCachePut('row:#{id}')
    async put(id: number): Promise<object> {
      return { id };
    }

    @TurboCacheEvict({ tags: ['rows'] })
    async changeAll(): Promise<void> {}
  }
  const inRequest = <T>(body: () => T): T => TurboCacheContext.run({}, body);

  it('runs a method once in a request, whatever the cache says, and gives all the same object', async () => {
    const { app } = await startWith([Rows]);
    const rows = app.get(Rows);
    await inRequest(async () => {
      const [one, other] = await Promise.all([rows.find(1), rows.find(1)]);
      expect(one).toBe(other);
      expect(await rows.find(1)).toBe(one);
      expect((await rows.find(2)).call).toBe(2);
      expect(await rows.byDefault({ a: 1, b: 2 })).toBe(await rows.byDefault({ b: 2, a: 1 }));
    });
    await inRequest(async () => expect((await rows.find(1)).call).toBe(4));
    expect([(await rows.find(1)).call, (await rows.find(1)).call]).toEqual([5, 6]);
  });

  it('knows values and Observables', async () => {
    const { app } = await startWith([Rows]);
    const rows = app.get(Rows);
    await inRequest(async () => {
      expect([rows.value(1), rows.value(1), rows.value(0), rows.value(0), rows.calls]).toEqual([
        1,
        1,
        undefined,
        undefined,
        2,
      ]);
      const observed = rows.observed();
      expect(rows.calls).toBe(2);
      expect([await lastValueFrom(observed), await lastValueFrom(rows.observed())]).toEqual([3, 3]);
    });
  });

  it('keeps no failures', async () => {
    const { app } = await startWith([Rows]);
    const rows = app.get(Rows);
    await inRequest(async () => {
      const together = await Promise.allSettled([rows.find(-1), rows.find(-1)]);
      expect(together.map((each) => String((each as PromiseRejectedResult).reason))).toEqual(
        Array(2).fill('Error: call 1'),
      );
      await expect(rows.find(-1)).rejects.toThrow('call 2');
    });
  });

  it('forgets what this request evicts or puts, and everything that a tag may have meant', async () => {
    const { app } = await startWith([Rows]);
    const rows = app.get(Rows);
    await inRequest(async () => {
      const call = async (id: number): Promise<number> => (await rows.find(id)).call;
      expect([await call(1), await call(2)]).toEqual([1, 2]);
      await rows.change(1);
      expect([await call(1), await call(2)]).toEqual([3, 2]);
      await rows.put(1);
      expect([await call(1), await call(2)]).toEqual([4, 2]);
      await rows.changeAll();
      expect([await call(1), await call(2)]).toEqual([5, 6]);
      TurboCacheContext.set('tenant', 'another');
      expect(await call(1)).toBe(7);
    });
  });

  it('keeps classes of one name apart, and tells onError of a key that cannot be made', async () => {
    const make = (answer: number) => {
      @Injectable()
      class Same {
        @TurboCacheMemo()
        async find(): Promise<number> {
          return answer;
        }
      }
      return Same;
    };
    const [One, Other] = [make(1), make(2)];
    const { app, failures } = await startWith([One, Other, Rows]);
    await inRequest(async () => {
      expect([await app.get(One).find(), await app.get(Other).find()]).toEqual([1, 2]);
      await app.get(Rows).missing();
    });
    expect(failures).toMatchObject([{ operation: 'key', method: 'Rows.missing' }]);
  });

  it('tells a named manager of it, where there is no default one', async () => {
    @Injectable()
    class Named {
      @TurboCacheMemo('named:#{context.tenant}')
      async find(): Promise<number> {
        return 1;
      }
    }
    const { app, failures } = await startWith([Named], { name: 'shop' });
    expect(await inRequest(() => app.get(Named).find())).toBe(1);
    expect(failures).toMatchObject([{ operation: 'key', method: 'Named.find', cache: 'shop' }]);
  });
});

describe('what cannot be', () => {
  const method = { value: async (id: number) => id };
  it.each<[string, () => unknown, string]>([
    ['#{context} without a name', () => TurboCache('a:#{context}')({}, 'm', method), 'key'],
    ['a varyBy that is no list', () => TurboCache({ key: 'a', varyBy: 'tenant' as never })({}, 'm', method), 'varyBy'],
    ['a misspelt option', () => TurboCacheMemo({ kee: 'a' } as never)({}, 'm', method), 'kee'],
  ])('%s', (_, body, option) => {
    expect(errorOf(body)).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', option });
  });

  it.each<[unknown, string]>([
    [5, 'options'],
    [{ values: { tenant: 'x-tenant' } }, 'values.tenant'],
    [{ values: 5 }, 'values'],
    [{ middleware: 'yes' }, 'middleware'],
    [{ value: {} }, 'value'],
  ])('forRoot(%o)', (options, option) => {
    const error = errorOf(() => TurboCacheContextModule.forRoot(options as object));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option });
  });
});
