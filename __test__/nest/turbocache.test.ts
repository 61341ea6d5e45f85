import { applyDecorators, Injectable, SetMetadata } from '@nestjs/common';
import { CacheManager, type IKeyGenerator } from 'turbocache-js';
import { cacheKey, TurboCache, TurboCacheDefaults, TurboCacheKey, TurboCacheModule } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { start, startWith } from './fixture';

describe('@TurboCache', () => {
  it('runs the method on a miss and not on a hit', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache('user:#{id}')
      async find(id: number): Promise<{ id: number; name: string }> {
        this.calls += 1;
        return { id, name: `user ${id}` };
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);

    expect(await users.find(1)).toEqual({ id: 1, name: 'user 1' });
    expect(await users.find(1)).toEqual({ id: 1, name: 'user 1' });
    expect(await users.find(2)).toEqual({ id: 2, name: 'user 2' });
    expect(users.calls).toBe(2);
    expect(await app.get(CacheManager).get('user:1')).toEqual({ id: 1, name: 'user 1' });
  });

  it('takes class, method and arguments for a key, whatever the order of fields', async () => {
    @Injectable()
    class Search {
      calls = 0;

      @TurboCache()
      async run(_filter: object, _page?: number): Promise<number> {
        return (this.calls += 1);
      }
    }
    const { app } = await startWith([Search]);
    const search = app.get(Search);

    expect(await search.run({ city: 'Oslo', limit: 5 }, 1)).toBe(1);
    expect(await search.run({ limit: 5, city: 'Oslo' }, 1)).toBe(1);
    expect(await search.run({ limit: 5, city: 'Oslo' }, 2)).toBe(2);
    expect(await search.run({ limit: '5', city: 'Oslo' }, 1)).toBe(3);
    expect(await app.get(CacheManager).has('Search.run({"city":"Oslo","limit":5},1)')).toBe(true);
  });

  it('finds paths, indexes, destructured, default and rest parameters, class and method', async () => {
    @Injectable()
    class Keys {
      @TurboCache('#{class}.#{method}:#{user.address.city}:#{1}:#{2.x}')
      async paths(user: object, _second: number, _third: object): Promise<unknown> {
        return user;
      }

      @TurboCache('d:#{a}:#{inner}:#{lang}')
      async destructured({ a, b: [inner] }: { a: number; b: string[] }, lang = 'en'): Promise<unknown> {
        return [a, inner, lang];
      }

      @TurboCache('r:#{ids}:#{others?}')
      async rest({ id: _id, ...others }: Record<string, unknown>, ...ids: number[]): Promise<unknown> {
        return [others, ids];
      }
    }
    const { app, failures } = await startWith([Keys]);
    const keys = app.get(Keys);
    await keys.paths({ address: { city: 'Oslo' } }, 7, { x: true });
    await keys.destructured({ a: 1, b: ['x'] });
    await keys.destructured({ a: 1, b: ['x'] }, 'no');
    await keys.rest({ id: 1, c: 2 }, 3, 4);

    const manager = app.get(CacheManager);
    expect(failures).toEqual([]);
    const expected = ['Keys.paths:Oslo:7:true', 'd:1:x:~undefined', 'd:1:x:no', 'r:~[3,4]:~{"c"%3A2}'];
    for (const key of expected) expect(await manager.has(key), key).toBe(true);
  });

  it('takes a function or a generator for a key', async () => {
    const generator: IKeyGenerator = {
      generate: ({ className, methodName, args }) => `${className}/${methodName}/${args}`,
    };

    @Injectable()
    class Users {
      @TurboCache({ key: ({ args: [id] }) => `fn:${id}` })
      async first(id: number): Promise<number> {
        return id;
      }

      @TurboCache({ key: generator })
      async second(id: number): Promise<number> {
        return id;
      }
    }
    const { app } = await startWith([Users]);
    await app.get(Users).first(1);
    await app.get(Users).second(2);
    expect(await app.get(CacheManager).getMany(['fn:1', 'Users/second/2'])).toEqual([1, 2]);
  });

  it('makes the key of the parameters that carry @TurboCacheKey, or of the one beside the method', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache()
      async find(
        @TurboCacheKey('address.city') _user: object,
        _trace: object,
        @TurboCacheKey() _page: number,
      ): Promise<number> {
        return (this.calls += 1);
      }

      @TurboCache()
      @TurboCacheKey('beside:#{id}')
      async beside(id: number): Promise<number> {
        return id;
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    await users.find({ address: { city: 'Oslo' }, name: 'a' }, { trace: 1 }, 1);
    await users.find({ address: { city: 'Oslo' }, name: 'b' }, { trace: 2 }, 1);
    await users.beside(3);
    expect(users.calls).toBe(1);
    expect(await app.get(CacheManager).getMany(['Users.find("Oslo",1)', 'beside:3'])).toEqual([1, 3]);
  });

  it('caches null and never undefined', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache('user:#{id}')
      async find(id: number): Promise<null | undefined> {
        this.calls += 1;
        return id === 0 ? undefined : null;
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    expect([await users.find(1), await users.find(1), users.calls]).toEqual([null, null, 1]);
    expect([await users.find(0), await users.find(0), users.calls]).toEqual([undefined, undefined, 3]);
  });

  it('lets callers of one key share one call of the method', async () => {
    @Injectable()
    class Users {
      calls = 0;
      release!: () => void;
      readonly held = new Promise<void>((resolve) => (this.release = resolve));

      @TurboCache('user:#{id}')
      async find(id: number): Promise<number> {
        this.calls += 1;
        await this.held;
        return id;
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    const answers = Promise.all(Array.from({ length: 50 }, () => users.find(1)));
    users.release();
    expect(await answers).toEqual(Array.from({ length: 50 }, () => 1));
    expect(users.calls).toBe(1);
  });

  it('asks `condition` before the method and `unless` after it', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache({
        key: 'user:#{id}',
        condition: ({ args: [id] }) => id > 0,
        unless: ({ result }) => result.draft,
      })
      async find(id: number, draft = false): Promise<{ id: number; draft: boolean }> {
        this.calls += 1;
        return { id, draft };
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    await users.find(-1);
    await users.find(-1);
    expect(users.calls).toBe(2);
    await users.find(1, true);
    await users.find(1, false);
    await users.find(1, true);
    expect(users.calls).toBe(4);
    expect(await app.get(CacheManager).getMany(['user:-1', 'user:1'])).toEqual([undefined, { id: 1, draft: false }]);
  });

  it('takes ttl and tags from options, from templates and from the result', async () => {
    @Injectable()
    class Users {
      @TurboCache({ key: 'fixed:#{id}', ttl: '10m', tags: ['users'] })
      async fixed(id: number): Promise<number> {
        return id;
      }

      @TurboCache({
        key: 'templates:#{id}',
        ttl: ({ result }) => result.ttl,
        tags: ['users', 'user:#{id}', 'city:#{result.city}'],
      })
      async templates(id: number): Promise<object> {
        return { id, city: 'Oslo', ttl: 3_000 };
      }

      @TurboCache({ key: 'function:#{id}', ttl: null, tags: ({ args: [id], result }) => [`n${id}`, `n${result}`] })
      async computed(id: number): Promise<number> {
        return id + 1;
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    await Promise.all([users.fixed(1), users.templates(1), users.computed(1)]);

    const manager = app.get(CacheManager);
    const entries = await Promise.all(['fixed:1', 'templates:1', 'function:1'].map((key) => manager.getEntry(key)));
    expect(entries.map((entry) => [...entry!.tags].sort())).toEqual([
      ['users'],
      ['city:Oslo', 'user:1', 'users'],
      ['n1', 'n2'],
    ]);
    const [fixed, byResult, forever] = entries.map((entry) => entry!.ttl);
    expect(fixed).toBeGreaterThan(590_000);
    expect(fixed).toBeLessThanOrEqual(600_000);
    expect(byResult).toBeLessThanOrEqual(3_000);
    expect(forever).toBeNull();
  });

  it('stores in the named cache, with the defaults of the class below its own options', async () => {
    @TurboCacheDefaults({ cache: 'users', ttl: '1h' })
    @Injectable()
    class Users {
      @TurboCache('a:#{id}')
      async byDefault(id: number): Promise<number> {
        return id;
      }

      @TurboCache({ key: 'b:#{id}', cache: 'others', ttl: '1s' })
      async other(id: number): Promise<number> {
        return id;
      }
    }
    @Injectable()
    class Admins extends Users {}

    const app = await start({
      imports: [TurboCacheModule.forRoot(), TurboCacheModule.forFeature(['users', { name: 'others', ttl: '2h' }])],
      providers: [Users, Admins],
    });
    await app.get(Users).byDefault(1);
    await app.get(Admins).byDefault(2);
    await app.get(Users).other(3);

    const manager = app.get(CacheManager);
    expect(await manager.cache('users').getMany(['a:1', 'a:2'])).toEqual([1, 2]);
    expect((await manager.cache('users').getEntry('a:1'))!.ttl).toBeGreaterThan(3_500_000);
    expect((await manager.cache('others').getEntry('b:3'))!.ttl).toBeLessThanOrEqual(1_000);
    expect(await manager.getMany(['a:1', 'b:3'])).toEqual([undefined, undefined]);
  });

  it('ends a long key in a digest, above the length that the module says', async () => {
    @Injectable()
    class Documents {
      calls = 0;

      @TurboCache('doc:#{text}')
      async index(text: string): Promise<number> {
        return (this.calls += 1) + 0 * text.length;
      }
    }
    const { app } = await startWith([Documents], { hashKeysAbove: 128 });
    const documents = app.get(Documents);
    const [short, long] = ['x'.repeat(124), 'x'.repeat(125)];
    for (const text of [short, long, `${long}y`, short, long]) await documents.index(text);
    expect(documents.calls).toBe(3);
    const keys = [`doc:${short}`, cacheKey('doc:#{text}', { text: long }, 128)];
    expect(keys[1]).toMatch(/~sha256:/);
    expect(await app.get(CacheManager).getMany(keys)).toEqual([1, 2]);
  });

  it('works through a decorator that was composed of it', async () => {
    const CachedFor = (minutes: number) =>
      applyDecorators(SetMetadata('cached', minutes), TurboCache({ key: 'c:#{id}:#{1}', ttl: `${minutes}m` }));

    @Injectable()
    class Users {
      calls = 0;

      @CachedFor(5)
      async find(id: number, lang = 'en'): Promise<string> {
        return `${id} ${lang} ${(this.calls += 1)}`;
      }
    }
    const { app, failures } = await startWith([Users]);
    const users = app.get(Users);
    expect([await users.find(1), await users.find(1), await users.find(1, 'no')]).toEqual([
      '1 en 1',
      '1 en 1',
      '1 no 2',
    ]);
    expect((await app.get(CacheManager).getEntry('c:1:no'))!.ttl).toBeGreaterThan(290_000);
    expect(Reflect.getMetadata('cached', Users.prototype.find)).toBe(5);
    expect(failures).toEqual([]);
  });

  it('gives every caller an object of his own', async () => {
    @Injectable()
    class Users {
      @TurboCache('user:#{id}')
      async find(id: number): Promise<{ id: number; tags: string[] }> {
        return { id, tags: [] };
      }
    }
    const { app } = await startWith([Users]);
    const first = await app.get(Users).find(1);
    first.tags.push('changed');
    expect(await app.get(Users).find(1)).toEqual({ id: 1, tags: [] });
  });

  it('nests as it is written: the upper decorator is the outer one', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache({ key: 'outer:#{id}' })
      @TurboCache({ key: 'inner:#{id}', cache: 'second' })
      async find(id: number): Promise<number> {
        this.calls += 1;
        return id;
      }
    }
    const { app } = await startWith([Users]);
    const manager = app.get(CacheManager);
    await app.get(Users).find(1);
    expect(await manager.get('outer:1')).toBe(1);
    await manager.delete('outer:1');
    expect(await app.get(Users).find(1)).toBe(1);
    expect(app.get(Users).calls).toBe(1);
    expect(await manager.cache('second').get('inner:1')).toBe(1);
  });
});
