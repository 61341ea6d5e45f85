/** Soft invalidations leave the grace; `mode: 'all'` reaches only what carries all of the tags. */
import type { CacheManager } from 'turbocache-js';
import { describe, expect, it } from 'vitest';
import { arrangements } from './arrangements';
import { heldLoader, makeManager, turns } from './fixture';

const { all, down, make, namespace, url, takeErrors } = arrangements();
const soft = { soft: true } as const;

/** The value that is served when the loader fails; `undefined` for none. */
const oldValue = (cache: CacheManager, key: string): Promise<unknown> =>
  cache.getOrSet<unknown>(key, () => Promise.reject(new Error('origin down'))).catch(() => undefined);

describe.each([...all, ...down])('with %s', (_, arrange) => {
  it.each<[string, (cache: CacheManager) => Promise<void>]>([
    ['a tag', (cache) => cache.invalidateTags(['t'], soft)],
    ['several tags together', (cache) => cache.invalidateTags(['u', 't'], { mode: 'all', soft: true })],
    ['a namespace', (cache) => cache.clear(soft)],
  ])('what is softly invalidated by %s is no hit, and helps when the loader fails', async (_, invalidate) => {
    const cache = arrange();
    await cache.ready();
    await cache.set('kept', 'old', { grace: '1m', tags: ['t', 'u'] });
    await cache.set('bare', 'old', { tags: ['t', 'u'] });
    await cache.getMany(['kept', 'bare']);
    await invalidate(cache);
    expect(await cache.getMany(['kept', 'bare'])).toEqual([undefined, undefined]);
    expect([cache.peek('kept'), await cache.has('kept')]).toEqual([undefined, false]);
    expect(await cache.getEntry('kept')).toMatchObject({ value: 'old', stale: true });
    expect([await oldValue(cache, 'kept'), await oldValue(cache, 'bare')]).toEqual(['old', undefined]);
    expect(await cache.getOrSet('kept', () => 'new', { grace: '1m', tags: ['t'] })).toBe('new');
    await turns();
    expect(await cache.get('kept')).toBe('new');
    takeErrors();
  });

  it('all tags together reach what carries all of them, and nothing else', async () => {
    const cache = arrange();
    await cache.ready();
    const entries = { ab: ['a', 'b'], abc: ['c', 'b', 'a'], a: ['a'], bc: ['b', 'c'], none: [] };
    await cache.setMany(Object.entries(entries).map(([key, tags]) => ({ key, value: key, tags })));
    await cache.getMany(Object.keys(entries));
    await cache.invalidateTags(['a', 'b'], { mode: 'all' });
    expect(await cache.getMany(Object.keys(entries))).toEqual([undefined, undefined, 'a', 'bc', 'none']);
    await cache.invalidateTags(['c'], { mode: 'all' });
    expect(await cache.getMany(Object.keys(entries))).toEqual([undefined, undefined, 'a', undefined, 'none']);
  });

  it.each<[string, (cache: CacheManager) => Promise<void>]>([
    ['a tag', (cache) => cache.invalidateTags(['t'], soft)],
    ['several tags together', (cache) => cache.invalidateTags(['t', 'u'], { mode: 'all' })],
    ['a namespace', (cache) => cache.clear(soft)],
  ])('law 2: a load from before a soft invalidation by %s is no hit behind it', async (_, invalidate) => {
    const cache = arrange();
    await cache.ready();
    const old = heldLoader<string>();
    const before = cache.getOrSet('k', old.loader, { grace: '1m', tags: ['t', 'u'] });
    await old.called;
    await invalidate(cache);
    old.resolve('old');
    expect(await before).toBe('old');
    await turns();
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.getOrSet('k', () => 'new', { tags: ['t', 'u'] })).toBe('new');
  });
});

it('another process, here another engine, follows', async () => {
  const [name, redis] = [namespace(), { url: url() }];
  // The same names in Redis, but two engines: their addresses differ.
  const a = make({ namespace: name, redis });
  const b = make({ namespace: name, redis: { url: `${url()}/0` } });
  await Promise.all([a.ready(), b.ready()]);
  await a.set('k', 'old', { grace: '1m', tags: ['t', 'u'] });
  await a.set('l', 'kept', { grace: '1m', tags: ['t'] });
  await expect.poll(() => b.get('k')).toBe('old');
  await a.invalidateTags(['t', 'u'], { mode: 'all', soft: true });
  await expect.poll(() => b.peek('k')).toBeUndefined();
  expect(await b.getMany(['k', 'l'])).toEqual([undefined, 'kept']);
  expect(await oldValue(b, 'k')).toBe('old');
  await b.clear(soft);
  await expect.poll(() => a.peek('l')).toBeUndefined();
  expect(await a.get('l')).toBeUndefined();
  expect(await oldValue(a, 'l')).toBe('kept');
  // Errors are reported in a tick of their own, behind the answer.
  await turns();
  takeErrors();
});

it('options that cannot be right are refused where they were given', async () => {
  const { manager } = makeManager();
  await expect(manager.invalidateTags(['t'], { mode: 'some' as 'all' })).rejects.toMatchObject({
    code: 'E_TURBOCACHE_ARGUMENT',
    option: 'options.mode',
    got: 'some',
    expected: "'any' or 'all'",
  });
  await expect(manager.invalidateTags(['t'], { sotf: true } as object)).rejects.toThrow('did you mean options.soft?');
  await expect(manager.clear({ soft: 1 as never })).rejects.toMatchObject({ option: 'options.soft', got: 1 });
});
