import { Injectable } from '@nestjs/common';
import { of } from 'rxjs';
import { type Cache, CacheManager } from 'turbocache-js';
import { bindCache, TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { errorOf, startWith } from './fixture';

// Methods that return a value at once, not a promise of one: `returns: 'value'`.

interface Page {
  title: string;
  words: number;
}

@Injectable()
class Pages {
  calls = 0;
  during: () => void = () => undefined;

  @TurboCache({ key: 'page:#{id}', tags: ['pages', 'title:#{result.title}'], returns: 'value' })
  render(id: number): Page {
    this.calls += 1;
    this.during();
    return { title: `page ${id}`, words: this.calls };
  }

  @TurboCache({ key: 'maybe:#{id}', returns: 'value' })
  maybe(id: number): null | undefined {
    this.calls += 1;
    return id === 0 ? undefined : null;
  }

  @TurboCache({
    key: 'rule:#{n}',
    condition: ({ args: [n] }) => n >= 0,
    unless: ({ result }) => result === 0,
    ttl: ({ result }) => result * 1_000,
    returns: 'value',
  })
  ruled(n: number): number {
    this.calls += 1;
    return n;
  }

  @TurboCache({ key: 'when', returns: 'value' })
  when(): { at: Date } {
    return { at: new Date(0) };
  }

  @TurboCache({ key: 'fails', returns: 'value' })
  fails(): never {
    throw new RangeError(`call ${(this.calls += 1)}`);
  }

  @TurboCache({ key: 'big', returns: 'value' })
  big(): { n: bigint } {
    this.calls += 1;
    return { n: 1n };
  }

  @TurboCache({ key: 'again:#{n}', returns: 'value' })
  again(n: number): number {
    return this.again(n);
  }

  @TurboCachePut({ key: 'page:#{id}', returns: 'value' })
  save(id: number, title: string): Page {
    if (title === '') throw new Error('a title is needed');
    return { title, words: id };
  }

  @TurboCacheEvict({ key: 'page:#{id}', returns: 'value' })
  drop(id: number): number {
    if (id < 0) throw new Error('negative');
    return id;
  }

  @TurboCacheEvict({ key: 'page:#{id}', when: 'before', returns: 'value' })
  dropBefore(id: number): number {
    throw new Error(`fails ${id}`);
  }

  @TurboCacheEvict({ key: 'page:#{id}', when: 'always', returns: 'value' })
  dropAlways(id: number): number {
    throw new Error(`fails ${id}`);
  }
}

async function started() {
  const { app, failures } = await startWith([Pages]);
  return { pages: app.get(Pages), manager: app.get(CacheManager), failures };
}

describe('a decorated method that returns a value at once', () => {
  it('still does, from the cache when it is there', async () => {
    const { pages, manager } = await started();
    expect(pages.render(1)).toEqual({ title: 'page 1', words: 1 });
    expect(pages.render(1)).toEqual({ title: 'page 1', words: 1 });
    expect(pages.render(2).words).toBe(2);
    expect(pages.calls).toBe(2);
    expect(await manager.get('page:1')).toEqual({ title: 'page 1', words: 1 });
    expect((await manager.getEntry('page:1'))!.tags).toEqual(['pages', 'title:page 1']);
  });

  it('gives every caller an object of his own, and the first what all others get', async () => {
    const { pages } = await started();
    pages.render(1).title = 'changed';
    expect(pages.render(1).title).toBe('page 1');
    const [first, second] = [pages.when(), pages.when()];
    expect(first).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    expect(second).toEqual(first);
  });

  it('caches null and never undefined', async () => {
    const { pages } = await started();
    expect([pages.maybe(1), pages.maybe(1), pages.calls]).toEqual([null, null, 1]);
    expect([pages.maybe(0), pages.maybe(0), pages.calls]).toEqual([undefined, undefined, 3]);
  });

  it('knows condition, unless and a ttl from the result', async () => {
    const { pages, manager } = await started();
    for (const n of [-1, -1, 0, 0, 5, 5]) expect(pages.ruled(n)).toBe(n);
    expect(pages.calls).toBe(5);
    expect((await manager.getEntry('rule:5'))!.ttl).toBeLessThanOrEqual(5_000);
  });

  it('throws what it throws, each time', async () => {
    const { pages, failures } = await started();
    expect(() => pages.fails()).toThrow(new RangeError('call 1'));
    expect(() => pages.fails()).toThrow(new RangeError('call 2'));
    expect(failures).toEqual([]);
  });

  it('returns what cannot be stored, runs once for it, and tells onError', async () => {
    const { pages, failures } = await started();
    expect(pages.big()).toEqual({ n: 1n });
    expect(pages.calls).toBe(1);
    expect(failures).toMatchObject([
      { operation: 'read', method: 'Pages.big', error: { code: 'E_TURBOCACHE_SERIALIZE' } },
    ]);
  });

  it('is refused when it asks for the key that it is computing', async () => {
    const { pages } = await started();
    expect(errorOf(() => pages.again(1)).code).toBe('E_TURBOCACHE_RECURSIVE_LOAD');
  });

  it('goes on uncached behind close()', async () => {
    const { pages, manager, failures } = await started();
    await manager.close();
    expect(pages.render(1).words).toBe(1);
    expect(failures).toMatchObject([{ operation: 'read', error: { code: 'E_TURBOCACHE_CLOSED' } }]);
  });

  it.each<[string, (manager: CacheManager) => Promise<unknown>]>([
    ['the key is deleted', (manager) => manager.delete('page:1')],
    ['a tag of the result is invalidated', (manager) => manager.invalidateTags(['title:page 1'])],
    ['the cache is cleared', (manager) => manager.clear()],
    ['the key is written', (manager) => manager.set('page:1', { title: 'written', words: 0 })],
  ])('stores nothing when %s while it runs (law 2)', async (_, invalidate) => {
    const { pages, manager } = await started();
    let done: Promise<unknown> | undefined;
    pages.during = () => {
      done ??= invalidate(manager);
    };
    expect(pages.render(1).words).toBe(1);
    await done;
    const now = pages.render(1);
    expect(now).not.toEqual({ title: 'page 1', words: 1 });
    expect(pages.render(1)).toEqual(now);
  });

  it('keeps a load of getOrSet that is under way from nothing', async () => {
    const { pages, manager } = await started();
    let finish!: (value: unknown) => void;
    const asked = manager.getOrSet('page:1', () => new Promise((resolve) => (finish = resolve)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(pages.render(1).words).toBe(1);
    finish('loaded');
    expect(await asked).toBe('loaded');
    expect([await manager.get('page:1')]).toEqual([pages.render(1)]);
  });
});

describe('@TurboCachePut and @TurboCacheEvict on such a method', () => {
  it('are seen by the very next read of this process', async () => {
    const { pages, manager } = await started();
    pages.render(1);
    expect(pages.save(1, 'saved')).toEqual({ title: 'saved', words: 1 });
    expect(pages.render(1).title).toBe('saved');
    expect(await manager.get('page:1')).toEqual({ title: 'saved', words: 1 });
    expect(pages.drop(1)).toBe(1);
    expect(pages.render(1).title).toBe('page 1');
    pages.drop(1);
    expect(await manager.get('page:1')).toBeUndefined();
  });

  it('do nothing when it throws, unless they are told to', async () => {
    const { pages, manager } = await started();
    expect(() => pages.save(1, '')).toThrow('a title is needed');
    pages.render(1);
    expect(() => pages.drop(-1)).toThrow('negative');
    expect(await manager.has('page:1')).toBe(true);
    for (const drop of ['dropBefore', 'dropAlways'] as const) {
      pages.render(1);
      expect(() => pages[drop](1)).toThrow('fails 1');
      expect(await manager.has('page:1'), drop).toBe(false);
    }
  });

  it('stand above and below each other', async () => {
    @Injectable()
    class Nested {
      calls = 0;

      @TurboCacheEvict({ key: 'other', returns: 'value' })
      @TurboCache({ key: 'mine', returns: 'value' })
      find(): number {
        return (this.calls += 1);
      }
    }
    const { app } = await startWith([Nested]);
    const [nested, manager] = [app.get(Nested), app.get(CacheManager)];
    nested.find();
    await manager.set('other', 1);
    expect([nested.find(), nested.calls]).toEqual([1, 1]);
    expect(await manager.has('other')).toBe(false);
  });
});

describe('with Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('values live in memory only, and an eviction elsewhere reaches them', async () => {
    const options = { redis: { url: redis.url } };
    const [one, other] = [await startWith([Pages], options), await startWith([Pages], options)];
    await Promise.all([one, other].map(({ app }) => app.get(CacheManager).ready()));
    const [here, there] = [one.app.get(Pages), other.app.get(Pages)];
    here.render(1);
    expect(await one.app.get(CacheManager).get('page:1')).toEqual({ title: 'page 1', words: 1 });
    expect(((await redis.cli('KEYS', '*page:1*')) as unknown[]).length).toBe(0);
    expect(await other.app.get(CacheManager).get('page:1')).toBeUndefined();

    there.drop(1);
    while (here.calls === 1) {
      here.render(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(here.render(1).words).toBe(2);
  });
});

describe('what cannot be', () => {
  it('is a promise or an Observable under `returns: "value"`', async () => {
    expect(
      errorOf(() => {
        class Users {
          // @ts-expect-error a method that returns a promise
          @TurboCache({ returns: 'value' })
          async find(): Promise<number> {
            return 1;
          }
        }
        return Users;
      }),
    ).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', option: 'returns', expected: "'promise', or no such option" });
    expect(
      errorOf(() => {
        class Users {
          // @ts-expect-error a method that returns an Observable
          @TurboCacheEvict({ all: true, returns: 'value' })
          find() {
            return of(1);
          }
        }
        TurboCache({ returns: 'value' })(
          Users.prototype,
          'other',
          Object.getOwnPropertyDescriptor({ async other() {} }, 'other') as never,
        );
      }),
    ).toMatchObject({ option: 'returns' });
  });

  it('is told to onError when only the call shows it, and the promise is returned', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache({ key: 'u', returns: 'value' })
      find(): any {
        return Promise.resolve((this.calls += 1));
      }
    }
    const { app, failures } = await startWith([Users]);
    expect(await app.get(Users).find()).toBe(1);
    expect(await app.get(Users).find()).toBe(2);
    expect(failures[0]).toMatchObject({
      method: 'Users.find',
      error: { code: 'E_TURBOCACHE_DECORATOR', option: 'returns' },
    });
  });

  it.each(['grace', 'softTimeout', 'hardTimeout', 'eagerRefresh'])('is to wait: %s', (option) => {
    const options = { key: 'x', returns: 'value', [option]: option === 'eagerRefresh' ? 0.5 : '1s' } as const;
    const error = errorOf(() => TurboCache(options as { returns: 'value' })({}, 'find', { value: () => 1 }));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', option });
  });

  it('is a cache that somebody else has written: the method runs, and onError is told', () => {
    const failures: unknown[] = [];
    const other = { getOrSet: () => Promise.resolve('old') } as Partial<Cache> as Cache;
    const pages = bindCache(new Pages(), other, { onError: (error) => failures.push(error.code) });
    expect(pages.render(1).words).toBe(1);
    expect(failures).toEqual(['E_TURBOCACHE_UNSUPPORTED']);
  });
});
