import fc from 'fast-check';
import { Injectable } from '@nestjs/common';
import { type Cache, CacheManager } from 'turbocache-js';
import { bindCache, TurboCache } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { compileTemplate } from '../../nest-module/key/compile-template';
import { MethodCall } from '../../nest-module/method/call';
import { startWith } from './fixture';

// A hit takes a shorter way than a miss: it must lead to the same place.

class Users {
  calls = 0;

  @TurboCache('user:#{id}')
  async find(id: number | string): Promise<{ id: unknown; call: number }> {
    return { id, call: (this.calls += 1) };
  }

  @TurboCache({ key: 'user:#{id}', condition: ({ args: [id] }) => id > 0 })
  async conditional(id: number): Promise<{ call: number }> {
    return { call: (this.calls += 1) + id };
  }

  @TurboCache({ key: 'eager:#{id}', ttl: '1h', eagerRefresh: 0.000_001 })
  async eager(id: number): Promise<number> {
    return (this.calls += 1) + 0 * id;
  }
}

describe('a hit of a decorated method', () => {
  it('is counted once, and so is the miss before it', async () => {
    const { app } = await startWith([Users]);
    const [users, manager] = [app.get(Users), app.get(CacheManager)];
    await users.find(1);
    const { hits, misses } = manager.stats().hot;
    await users.find(2);
    expect(manager.stats().hot).toMatchObject({ hits, misses: misses + 1 });
    await users.find(1);
    await users.conditional(1);
    expect(manager.stats().hot).toMatchObject({ hits: hits + 2, misses: misses + 1 });
  });

  it('gives every caller an object of his own, or the same frozen one, as the cache says', async () => {
    const managers = [new CacheManager(), new CacheManager({ hot: { reads: 'frozen' } })] as const;
    const [copies, frozen] = managers.map((manager) => bindCache(new Users(), manager)) as [Users, Users];
    await copies.find(1);
    const [first, second] = [await copies.find(1), await copies.find(1)];
    expect(first).toEqual(second);
    expect(first).not.toBe(second);

    await frozen.find(1);
    expect(await frozen.find(1)).toBe(await frozen.find(1));
    expect(Object.isFrozen(await frozen.find(1))).toBe(true);
    for (const manager of managers) await manager.close();
  });

  it('starts the reload ahead of time that is due', async () => {
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    expect(await users.eager(1)).toBe(1);
    while (users.calls < 2) {
      expect(await users.eager(1)).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    while ((await app.get(CacheManager).get('eager:1')) === 1) await new Promise((resolve) => setImmediate(resolve));
    expect(await app.get(CacheManager).get('eager:1')).toBeGreaterThan(1);
  });

  it('is none for a value that was invalidated, in the middle of a turn too', async () => {
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    await users.find(1);
    const deleted = app.get(CacheManager).delete('user:1');
    expect((await users.find(1)).call).toBe(2);
    await deleted;
  });

  it('works with a cache that somebody else has written', async () => {
    const values = new Map<string, unknown>();
    const other = {
      async getOrSet(key: string, loader: (context: object) => Promise<unknown>) {
        if (!values.has(key)) values.set(key, await loader({}));
        return values.get(key);
      },
    } as Partial<Cache> as Cache;
    const users = bindCache(new Users(), other);
    expect(await users.find(1)).toBe(await users.find(1));
    expect(users.calls).toBe(1);
  });
});

describe('a key that is made at a glance', () => {
  it('is the same as the one that is made with care', () => {
    const parameters = {
      count: 2,
      names: ['a', 'b'].map((name, index) => ({ name, index, path: [], hasDefault: true })),
    };
    const site = { decorator: '@TurboCache', className: 'C', methodName: 'm', phase: 'before', parameters } as const;
    const templates = ['constant', 'a:#{a}', '#{a}', '#{a}-x', '#{a}:#{b}', '#{1}.#{a} ', 'x#{b},#{a}']; // prettier-ignore
    const compiled = templates.map((template) => compileTemplate(template, site, 'key'));
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[~%:.,\-0-9a-ntrue ]{0,6}$/),
      fc.constantFrom('true', 'false', '', '42', '-1', 'x'.repeat(100)),
    );
    const value = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constantFrom(null, undefined, {}, 1n));
    let made = 0;
    fc.assert(
      fc.property(value, value, fc.constantFrom(...compiled), (a, b, { of, quick }) => {
        const args = [a, b];
        const text = quick!.of(args[quick!.first], args[quick!.second]);
        if (text === undefined) return;
        made += 1;
        expect(text).toBe(of(new MethodCall({}, 'm', args)));
      }),
      { numRuns: 2_000 },
    );
    expect(made).toBeGreaterThan(500);
  });

  it('leads to its own value when many values are asked for again and again, ids and names that look alike among them', async () => {
    const manager = new CacheManager();
    const users = bindCache(new Users(), manager);
    const ids = Array.from({ length: 3_000 }, (_, id) => id);
    const special = [
      -1,
      -0,
      1.5,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      NaN,
      '~1',
      'a:b',
      'a%3Ab',
      'a b',
      '',
      'é',
      'x'.repeat(100),
    ];
    const asked = ids.flatMap((id) => [id, `${id}`, `user-${id}`]).concat(special);
    for (const id of asked) await users.find(id);
    // -0 is the same number as 0.
    expect(users.calls).toBe(asked.length - 1);
    for (let round = 0; round < 8; round += 1) {
      for (const id of asked) expect((await users.find(id)).id).toEqual(asJson(id));
    }
    expect(users.calls).toBe(asked.length - 1);
    await manager.close();
  });

  it('is found again after the entry was dropped, with a new value', async () => {
    const manager = new CacheManager();
    const users = bindCache(new Users(), manager);
    for (const id of [7, 'seven']) {
      for (let time = 0; time < 3; time += 1) await users.find(id);
      const { calls } = users;
      await manager.delete(`user:${id}`);
      expect((await users.find(id)).call).toBe(calls + 1);
      expect((await users.find(id)).call).toBe(calls + 1);
    }
    await manager.close();
  });
});

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

it('a hit runs no method, and a miss runs it with all arguments of the call and no more', async () => {
  class Lists {
    seen: unknown[][] = [];

    @TurboCache('list:#{0}')
    async find(...args: unknown[]): Promise<number> {
      return this.seen.push(args);
    }
  }
  const manager = new CacheManager();
  const lists = bindCache(new Lists(), manager);
  for (let time = 0; time < 3; time += 1) {
    await lists.find('a');
    await lists.find('b', undefined);
    await lists.find('c', 2, 3, 4);
  }
  await lists.find.call(Object.create(lists) as Lists, 'a', 'unbound');
  expect(lists.seen).toEqual([['a'], ['b', undefined], ['c', 2, 3, 4], ['a', 'unbound']]);
  await manager.close();
});

it('an object of a class that extends the decorated one has hits of its own caches', async () => {
  @Injectable()
  class Admins extends Users {}
  const [one, other] = [await startWith([Admins, Users]), await startWith([Admins])];
  await one.app.get(Admins).find(1);
  expect((await one.app.get(Users).find(1)).call).toBe(1);
  expect(one.app.get(Users).calls).toBe(0);
  await other.app.get(Admins).find(1);
  expect(other.app.get(Admins).calls).toBe(1);
});
