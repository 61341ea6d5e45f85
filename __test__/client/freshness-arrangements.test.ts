/** What freshness promises, through the public API, on the real engine, in every arrangement of tiers and with Redis down. */
import type { CacheManager, CacheManagerOptions } from 'turbocache-js';
import { describe, expect, it } from 'vitest';
import { arrangements, type Arrange } from './arrangements';
import { heldLoader, turns } from './fixture';

const { all, down, make, namespace, settled, url, takeErrors } = arrangements();
const failing = (): Promise<never> => Promise.reject(new Error('origin down'));
const never = (): Promise<never> => new Promise(() => undefined);

/** A manager with an old value under `k`. */
async function withStale(arrange: Arrange, options: CacheManagerOptions): Promise<CacheManager> {
  const manager = arrange({ grace: '1m', ...options });
  await settled(manager);
  await manager.set('k', 'old');
  await manager.expire('k');
  return manager;
}

describe.each([...all, ...down])('with %s', (name, arrange) => {
  const hasMemory = name !== 'Redis alone';

  it('graceBackoff: one attempt until its time is over', async () => {
    const manager = await withStale(arrange, { graceBackoff: '1m' });
    const attempts = async (): Promise<number> => {
      let attempts = 0;
      await manager.set('k', 'old');
      await manager.expire('k');
      const load = (): Promise<never> => (attempts++, failing());
      for (let call = 0; call < 3; call++) {
        const value = await manager.getOrSet('k', load).catch(() => 'dropped');
        if (value !== 'old') return NaN;
        await turns();
      }
      return attempts;
    };
    // When the bus is heard for the first time, or not heard for too long, everything is forgotten once.
    await expect.poll(attempts).toBe(1);
    await manager.delete('k');
    expect(await manager.getOrSet('k', () => 'new')).toBe('new');
    expect(takeErrors().length).toBeGreaterThan(0);
  });

  it('swr: the old value at once, the new one behind it', async () => {
    const manager = await withStale(arrange, { swr: true });
    const load = heldLoader<string>();
    expect(await manager.getOrSet('k', load.loader)).toBe('old');
    await load.called;
    expect(await manager.getOrSet('k', load.loader)).toBe('old');
    load.resolve('new');
    await expect.poll(() => manager.get('k')).toBe('new');
    expect(load.calls).toBe(1);
  });

  it('law 2: what a background load brings after an invalidation is dropped', async () => {
    for (const invalidate of [
      (manager: CacheManager) => manager.delete('k'),
      (manager: CacheManager) => manager.clear(),
      (manager: CacheManager) => manager.invalidateTags(['t']),
      (manager: CacheManager) => manager.expire('k'),
    ]) {
      const manager = await withStale(arrange, { swr: true });
      const load = heldLoader<string>();
      expect(await manager.getOrSet('k', load.loader, { tags: ['t'] })).toBe('old');
      await load.called;
      await invalidate(manager);
      load.resolve('from before');
      await turns(5);
      expect(await manager.get('k')).toBeUndefined();
    }
  });

  it('errorTtl: the same error, and one call of the loader', async () => {
    const manager = arrange({ errorTtl: '1m' });
    await settled(manager);
    const error = new RangeError('origin down');
    let key = '';
    const attempts = async (): Promise<number> => {
      let attempts = 0;
      key += 'k';
      const load = (): Promise<never> => (attempts++, Promise.reject(error));
      for (let call = 0; call < 3; call++) await expect(manager.getOrSet(key, load)).rejects.toBe(error);
      return attempts;
    };
    // When the bus is heard for the first time, everything is forgotten once.
    await expect.poll(attempts).toBe(1);
    await manager.delete(key);
    expect(await manager.getOrSet(key, () => 1)).toBe(1);
  });

  it('fallback: in place of a first failure, and stored nowhere', async () => {
    const manager = arrange();
    await settled(manager);
    expect(await manager.getOrSet<object>('k', failing, { fallback: { none: true } })).toEqual({ none: true });
    expect(await manager.get('k')).toBeUndefined();
    await turns();
    expect(takeErrors()).toHaveLength(1);
  });

  it('loaderDeadline: a loader that hangs holds nobody for longer', async () => {
    const manager = arrange({ loaderDeadline: 20 });
    await settled(manager);
    let aborted = false;
    const hanging = manager.getOrSet('k', ({ signal }) => {
      signal.addEventListener('abort', () => (aborted = true));
      return never();
    });
    await expect(hanging).rejects.toMatchObject({ code: 'E_TURBOCACHE_LOADER_TIMEOUT', option: 'loaderDeadline' });
    expect(aborted).toBe(true);
    expect(await manager.getOrSet('k', () => 'next')).toBe('next');
  });

  it('notModified: another life for the old value, with its tags', async () => {
    const manager = arrange({ grace: '1m' });
    await settled(manager);
    await manager.set('k', { n: 1 }, { tags: ['t'] });
    await manager.expire('k');
    expect(await manager.get('k')).toBeUndefined();
    const renew = ({ stale, notModified }: { stale: unknown; notModified: () => never }): { n: number } => {
      expect(stale).toEqual({ n: 1 });
      return notModified();
    };
    expect(await manager.getOrSet('k', renew)).toEqual({ n: 1 });
    await expect.poll(() => manager.get('k')).toEqual({ n: 1 });
    if (name.includes('down')) return;
    expect(await manager.getEntry('k')).toMatchObject({ stale: false, tags: ['t'] });
    await manager.invalidateTags(['t']);
    expect(await manager.get('k')).toBeUndefined();
  });

  it('ttls of null, of the value, of the tier', async () => {
    const manager = arrange({ nullTtl: 20_000, maxTtl: 40_000 });
    await settled(manager);
    await manager.set('null', null);
    await manager.set('long', 1, { ttl: null });
    await manager.getOrSet('chosen', ({ setTtl }) => (setTtl(10_000), 1));
    await turns();
    const ttls = await Promise.all(['null', 'long', 'chosen'].map(async (key) => (await manager.getEntry(key))?.ttl));
    if (hasMemory || ttls[0] !== undefined) {
      for (const [index, most] of [20_000, 40_000, 10_000].entries()) {
        expect(ttls[index]).toBeGreaterThan(most - 5_000);
        expect(ttls[index]).toBeLessThanOrEqual(most);
      }
    }
  });

  it('tags from the value', async () => {
    const manager = arrange();
    await settled(manager);
    const tags = (user: { team: number }): string[] => [`team:${user.team}`];
    await manager.set('a', { team: 1 }, { tags });
    await manager.getOrSet('b', () => ({ team: 2 }), { tags });
    await expect.poll(async () => (await manager.get('b')) !== undefined || name.includes('alone, down')).toBe(true);
    await manager.invalidateTags(['team:2']);
    expect(await manager.getMany(['a', 'b'])).toEqual([{ team: 1 }, undefined]);
  });
});

describe('two engines on one Redis', () => {
  const pair = async (options: CacheManagerOptions): Promise<[CacheManager, CacheManager]> => {
    const shared = { namespace: namespace(), ...options };
    // Engines are shared by address: this is another one to the same data.
    const a = make({ ...shared, redis: { url: url(), commandTimeout: '10s' } });
    const b = make({ ...shared, redis: { url: `${url()}/0`, commandTimeout: '10s' } });
    await Promise.all([a.ready(), b.ready()]);
    return [a, b];
  };

  it('law 6: of all who serve the old value one reloads it', async () => {
    const [a, b] = await pair({ swr: true, grace: '1m' });
    await a.set('k', 'old');
    await expect.poll(() => b.get('k')).toBe('old');
    await a.expire('k');
    await expect.poll(() => b.peek('k')).toBeUndefined();
    const load = heldLoader<string>();
    expect(await a.getOrSet('k', load.loader)).toBe('old');
    await load.called;
    let others = 0;
    const other = (): string => (others++, 'other');
    for (let call = 0; call < 5; call++) {
      expect(await b.getOrSet('k', other)).toBe('old');
      await turns();
    }
    load.resolve('new');
    await expect.poll(() => b.get('k')).toBe('new');
    expect(await b.getOrSet('k', other)).toBe('new');
    expect([load.calls, others]).toEqual([1, 0]);
  });

  it('l1Ttl and l2Ttl: memory asks Redis again, Redis keeps it for longer', async () => {
    const [a, b] = await pair({ l1Ttl: 30, l2Ttl: '1h' });
    await a.set('k', 1);
    await expect.poll(() => b.get('k')).toBe(1);
    await expect.poll(() => b.peek('k'), { interval: 5 }).toBeUndefined();
    const before = b.stats().remote.hits;
    expect(await b.get('k')).toBe(1);
    expect(b.stats().remote.hits).toBe(before + 1);
    expect((await b.getEntry('k'))!.ttl).toBeLessThanOrEqual(30);
    await expect.poll(() => a.peek('k'), { interval: 5 }).toBeUndefined();
    expect(await a.get('k')).toBe(1);
  });

  it('an error that one remembers is not the other’s', async () => {
    const [a, b] = await pair({ errorTtl: '1m' });
    await expect(a.getOrSet('k', failing)).rejects.toThrow('origin down');
    expect(await b.getOrSet('k', () => 'loaded')).toBe('loaded');
    await expect.poll(() => a.get('k')).toBe('loaded');
  });

  it('a caller who joins a load behind the other’s delete does not get what it brings', async () => {
    const [a, b] = await pair({});
    for (let round = 0; round < 20; round++) {
      const old = heldLoader<string>();
      const before = a.getOrSet(`k${round}`, old.loader);
      await old.called;
      await b.delete(`k${round}`);
      old.resolve('old');
      expect(await before).toBe('old');
      expect(await a.getOrSet(`k${round}`, () => 'new')).toBe('new');
    }
  });
});
