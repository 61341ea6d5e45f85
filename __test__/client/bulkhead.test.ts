/** So many loaders of one cache at a time: who waits, who gets an old value, who is turned away. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CacheManagerOptions } from '../../index';
import { LoaderTimeoutError, OverloadedError } from '../../node/client';
import { Op } from '../../node/client/native';
import { heldLoader, makeManager, turns, type HeldLoader } from './fixture';

afterEach(() => {
  vi.useRealTimers();
});

const limited = (maxConcurrent: number, maxQueued?: number, options: CacheManagerOptions = {}) =>
  makeManager({ ...options, bulkhead: maxQueued === undefined ? { maxConcurrent } : { maxConcurrent, maxQueued } });

const loaders = (count: number): HeldLoader<number>[] => Array.from({ length: count }, () => heldLoader<number>());
const calls = (held: HeldLoader<number>[]): number[] => held.map((loader) => loader.calls);

describe('a bulkhead', () => {
  it('lets so many loaders run, and the next ones in their order when one has ended, well or not', async () => {
    const { manager } = limited(2);
    const held = loaders(5);
    const values = held.map(({ loader }, index) => manager.getOrSet(`k${index}`, loader));
    values[1]!.catch(() => undefined);
    await turns();
    expect(calls(held)).toEqual([1, 1, 0, 0, 0]);
    held[1]!.reject(new Error('origin down'));
    await turns();
    expect(calls(held)).toEqual([1, 1, 1, 0, 0]);
    held[0]!.resolve(0);
    held[2]!.resolve(2);
    await turns();
    expect(calls(held)).toEqual([1, 1, 1, 1, 1]);
    held[3]!.resolve(3);
    held[4]!.resolve(4);
    expect(await Promise.all([values[0], ...values.slice(2)])).toEqual([0, 2, 3, 4]);
    await expect(values[1]).rejects.toThrow('origin down');
    expect(manager.stats().loads.shed).toBe(0);
  });

  it('counts callers of one key as one load, and a synchronous throw as the end of a loader', async () => {
    const { manager } = limited(1, 0);
    const [held] = loaders(1);
    const both = Promise.all([manager.getOrSet('k', held!.loader), manager.getOrSet('k', held!.loader)]);
    await turns();
    held!.resolve(1);
    expect(await both).toEqual([1, 1]);
    const broken = manager.getOrSet('a', () => {
      throw new Error('broken');
    });
    await expect(broken).rejects.toThrow('broken');
    expect(await manager.getOrSet('b', () => 2)).toBe(2);
  });

  it('turns away who does not fit the row, and takes him when there is room again', async () => {
    const { manager, engine, errors } = limited(1, 1);
    const held = loaders(3);
    const values = held.map(({ loader }, index) => manager.getOrSet(`k${index}`, loader));
    await expect(values[2]).rejects.toMatchObject({
      name: 'OverloadedError',
      code: 'E_TURBOCACHE_OVERLOADED',
      option: 'bulkhead',
      message: expect.stringContaining("Key 'k2'") as string,
    });
    expect(manager.stats().loads.shed).toBe(1);
    expect(engine.requestsOf(Op.Release)).toHaveLength(1);
    held[0]!.resolve(0);
    held[1]!.resolve(1);
    expect(await Promise.all(values.slice(0, 2))).toEqual([0, 1]);
    expect(await manager.getOrSet('k2', () => 'now')).toBe('now');
    expect(errors).toEqual([]);
  });

  it('gives the fallback to who is turned away, and remembers no error of his', async () => {
    const { manager } = limited(1, 0, { errorTtl: '1m' });
    const [held] = loaders(1);
    const value = manager.getOrSet('a', held!.loader);
    await turns();
    expect(await manager.getOrSet('b', () => 1, { fallback: 'instead' })).toBe('instead');
    await expect(manager.getOrSet('b', () => 1)).rejects.toBeInstanceOf(OverloadedError);
    held!.resolve(1);
    await value;
    expect(await manager.getOrSet('b', () => 'loaded')).toBe('loaded');
  });

  it('serves an old value rather than wait, without the lease that others could use', async () => {
    const { manager, engine } = limited(1, 5, { ttl: 1_000, grace: '1h' });
    await manager.set('old', 'old');
    engine.advance(2_000);
    const [held] = loaders(1);
    const other = manager.getOrSet('other', held!.loader);
    await turns();
    const load = vi.fn(() => 'new');
    expect(await manager.getOrSet('old', load)).toBe('old');
    expect(load).not.toHaveBeenCalled();
    expect(engine.requestsOf(Op.Release)).toHaveLength(1);
    expect(manager.stats().loads.shed).toBe(1);
    held!.resolve(1);
    await other;
    expect(await manager.getOrSet('old', load)).toBe('new');
  });

  it('leaves out a reload ahead of time', async () => {
    const { manager, engine } = limited(1, 5, { ttl: 1_000, eagerRefresh: 0.5 });
    await manager.set('hot', 'held');
    engine.advance(700);
    const [held] = loaders(1);
    const other = manager.getOrSet('other', held!.loader);
    await turns();
    const load = vi.fn(() => 'new');
    expect(await manager.getOrSet('hot', load)).toBe('held');
    await turns();
    expect(load).not.toHaveBeenCalled();
    held!.resolve(1);
    await other;
  });

  it('counts one call of getOrSetMany once', async () => {
    const { manager } = limited(1, 1);
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    const load = vi.fn((missing: string[]) => Promise.resolve(new Map(missing.map((key) => [key, key]))));
    expect(await manager.getOrSetMany(keys, load)).toEqual(keys);
    expect(load).toHaveBeenCalledTimes(1);

    const [held] = loaders(1);
    const other = manager.getOrSet('other', held!.loader);
    await turns();
    const waiting = manager.getOrSetMany(['a', 'b'], load);
    await turns();
    expect(load).toHaveBeenCalledTimes(1);
    held!.resolve(1);
    expect(await waiting).toEqual(['a', 'b']);
    expect(await other).toBe(1);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('turns away a whole call of getOrSetMany', async () => {
    const { manager } = limited(1, 0);
    const [held] = loaders(1);
    const other = manager.getOrSet('other', held!.loader);
    await turns();
    const many = manager.getOrSetMany(['a', 'b'], () => new Map());
    await expect(many).rejects.toMatchObject({ code: 'E_TURBOCACHE_OVERLOADED' });
    expect(manager.stats().loads.shed).toBe(2);
    held!.resolve(1);
    await other;
  });

  it('lets a caller wait no longer than his hardTimeout', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager } = limited(1);
    const held = loaders(2);
    const other = manager.getOrSet('other', held[0]!.loader);
    const hurried = manager.getOrSet('k', held[1]!.loader, { hardTimeout: 100 });
    hurried.catch(() => undefined);
    await turns();
    vi.advanceTimersByTime(100);
    await expect(hurried).rejects.toBeInstanceOf(LoaderTimeoutError);
    held[0]!.resolve(1);
    await other;
    await held[1]!.called;
    held[1]!.resolve(2);
    await turns();
    expect(await manager.get('k')).toBe(2);
  });

  it('starts no loader that nobody waits for any more because the manager was closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager } = limited(1);
    const held = loaders(2);
    const values = held.map(({ loader }, index) => manager.getOrSet(`k${index}`, loader));
    const outcomes = Promise.allSettled(values);
    await turns();
    const closed = manager.close();
    await turns();
    vi.advanceTimersByTime(5_000);
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    held[0]!.resolve(1);
    await turns();
    expect(held[1]!.calls).toBe(0);
    vi.advanceTimersByTime(5_000);
    await closed;
  });

  it('is one for each cache, with the limits of its manager unless it has its own', async () => {
    const { manager } = limited(1, 0);
    const held = loaders(4);
    const [same, wide] = [manager.cache('same'), manager.cache('wide', { bulkhead: { maxConcurrent: 2 } })];
    const values = [
      manager.getOrSet('a', held[0]!.loader),
      same.getOrSet('a', held[1]!.loader),
      wide.getOrSet('a', held[2]!.loader),
      wide.getOrSet('b', held[3]!.loader),
    ];
    await turns();
    expect(calls(held)).toEqual([1, 1, 1, 1]);
    await expect(same.getOrSet('b', () => 1)).rejects.toBeInstanceOf(OverloadedError);
    held.forEach((loader, index) => loader.resolve(index));
    expect(await Promise.all(values)).toEqual([0, 1, 2, 3]);
    expect(() => manager.cache('wide', { bulkhead: { maxConcurrent: 3 } })).toThrow(
      expect.objectContaining({ code: 'E_TURBOCACHE_CLASH' }),
    );
    expect(() => manager.namespace('wide')).toThrow(
      expect.objectContaining({ code: 'E_TURBOCACHE_CLASH', option: 'bulkhead' }),
    );
  });
});
