import fc from 'fast-check';
import { Injectable } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { cacheKey, TurboCache, TurboCacheEvict } from 'turbocache-js/nest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { errorOf, startWith } from './fixture';

@Injectable()
class Posts {
  calls = 0;

  @TurboCache('posts:#{user}:#{page}')
  async page(user: string, page: number): Promise<string> {
    return `${user} ${page} ${(this.calls += 1)}`;
  }

  @TurboCacheEvict({ pattern: 'posts:#{user}:*' })
  async write(user: string): Promise<string> {
    if (user === '') throw new Error('nobody writes');
    return user;
  }

  @TurboCacheEvict({ pattern: 'posts:#{result.author}:[0-4]' })
  async review(author: string): Promise<{ author: string }> {
    return { author };
  }

  @TurboCacheEvict({ pattern: '*:#{page}', key: 'count', cache: 'other' })
  async retire(page: number): Promise<number> {
    return page;
  }

  @TurboCacheEvict({ pattern: 'posts:*', when: 'always' })
  async reset(): Promise<never> {
    throw new Error('fails');
  }

  @TurboCacheEvict({ pattern: 'posts:#{user}:*', returns: 'value' })
  forget(user: string): string {
    return user;
  }
}

async function started(options = {}) {
  const { app, failures } = await startWith([Posts], options);
  const [posts, manager] = [app.get(Posts), app.get(CacheManager)];
  await manager.ready();
  const fill = async (): Promise<void> => {
    for (const user of ['ada', 'a*', 'ab']) for (const page of [1, 2, 9]) await posts.page(user, page);
  };
  const left = async (): Promise<string[]> => {
    const keys = ['ada', 'a*', 'ab'].flatMap((user) => [1, 2, 9].map((page) => `posts:${user}:${page}`));
    const held = await manager.getMany(keys);
    return keys.filter((_, i) => held[i] !== undefined);
  };
  await fill();
  return { posts, manager, failures, left, fill };
}

const pages = (...users: string[]): string[] =>
  users.flatMap((user) => [1, 2, 9].map((page) => `posts:${user}:${page}`));

describe('@TurboCacheEvict({ pattern })', () => {
  it('removes the keys that match, and takes values from the call for what they are', async () => {
    const { posts, left } = await started();
    expect(await posts.write('a*')).toBe('a*');
    expect(await left()).toEqual(pages('ada', 'ab'));
    await posts.write('a?');
    expect(await left()).toEqual(pages('ada', 'ab'));
    await posts.write('ada');
    expect(await left()).toEqual(pages('ab'));
  });

  it('knows sets, and the result', async () => {
    const { posts, left } = await started();
    await posts.review('ada');
    expect(await left()).toEqual(['posts:ada:9', ...pages('a*', 'ab')]);
  });

  it('stays in its cache, and goes together with keys', async () => {
    const { posts, manager, left } = await started();
    const other = manager.cache('other');
    await other.setMany(['posts:ada:1', 'posts:ada:2', 'count'].map((key) => ({ key, value: 1 })));
    await posts.retire(1);
    expect(await other.getMany(['posts:ada:1', 'posts:ada:2', 'count'])).toEqual([undefined, 1, undefined]);
    expect(await left()).toHaveLength(9);
  });

  it('waits for success, unless it is told otherwise', async () => {
    const { posts, left } = await started();
    await expect(posts.write('')).rejects.toThrow('nobody writes');
    expect(await left()).toHaveLength(9);
    await expect(posts.reset()).rejects.toThrow('fails');
    expect(await left()).toEqual([]);
  });

  it('has begun when a method returns its value at once', async () => {
    const { posts, manager, left } = await started();
    expect(posts.forget('ada')).toBe('ada');
    while ((await manager.get('posts:ada:9')) !== undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(await left()).toEqual(pages('a*', 'ab'));
  });

  it('tells onError what the cache refuses, and the method has its result', async () => {
    const { posts, manager, failures } = await started();
    await manager.close();
    expect(await posts.write('ada')).toBe('ada');
    expect(failures).toMatchObject([
      { operation: 'evict', method: 'Posts.write', error: { code: 'E_TURBOCACHE_CLOSED' } },
    ]);
  });

  it.each([
    ['k:#{a}:*', 'k:#{a}:#{b}'],
    ['k:#{a}-*', 'k:#{a}-#{b}'],
    ['k:#{a}-*', 'k:#{a}-fixed'],
    ['*-#{a}', 'k:#{b}-#{a}'],
    ['k:#{a}:#{b}?', 'k:#{a}:#{b}!'],
    ['*/#{a}/*/#{b}/*', 'k/#{a}/x/#{b}/y'],
  ])('%s reaches every key that %s makes of the same values', async (pattern, key) => {
    class Things {
      @TurboCacheEvict({ pattern })
      async drop(a: string, b: string): Promise<unknown> {
        return [a, b];
      }
    }
    const { app, failures } = await startWith([Things]);
    const [things, manager] = [app.get(Things), app.get(CacheManager)];
    const text = fc.string({
      unit: fc.constantFrom('a', '-', ':', '/', '*', '?', '[', ']', '\\', '^', '%', '~', '1'),
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(text, text, async (a, b) => {
        const name = cacheKey(key, { a, b });
        await manager.set(name, 1);
        await things.drop(a, b);
        expect(await manager.has(name), name).toBe(false);
      }),
    );
    expect(failures).toEqual([]);
  });
});

describe('with Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('the keys are gone from there, and from other applications', async () => {
    const options = { redis: { url: redis.url, commandTimeout: '10s' as const }, version: 'pattern' };
    const [one, other] = [await started(options), await started(options)];
    await one.posts.write('ada');
    expect(await one.left()).toEqual(pages('a*', 'ab'));
    // It hears of the keys one after another.
    while ((await other.left()).some((key) => key.startsWith('posts:ada')))
      await new Promise((resolve) => setImmediate(resolve));
    expect(await other.left()).toEqual(pages('a*', 'ab'));
  });
});

it.each([
  ['an unknown parameter', 'posts:#{usr}:*', 'no parameter is named "usr"'],
  ['an empty one', '', 'an empty text'],
  ['an open set', 'posts:[abc', 'without its "]"'],
  ['an empty set', 'posts:[]', 'without its "]"'],
  ['a lonely backslash', 'posts:\\', 'nothing behind it'],
  ['slots that touch each other', 'posts:#{user}#{other}', 'nothing separates'],
])('%s is a mistake when the class is defined', (_, pattern, message) => {
  const method = { value: async (user: string, other: string) => [user, other] };
  const error = errorOf(() => TurboCacheEvict({ pattern })({}, 'write', method));
  expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', option: 'pattern' });
  expect(error.message).toContain(message);
});
