/** How long values live, and what stands in for a loader that fails, is slow, or hangs: on a clock that stands still. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CacheManagerOptions, LoaderContext } from '../../index';
import { LoaderTimeoutError, TurboCacheError } from '../../node/client';
import { isDue } from '../../node/client/ahead';
import { Op } from '../../node/client/native';
import { TtlRule } from '../../node/client/ttl-rule';
import { DEFAULTS } from './fake-binding';
import { heldLoader, makeManager, turns, type Fixture } from './fixture';

const down = (): Promise<never> => Promise.reject(new Error('origin down'));
const never = (): Promise<never> => new Promise(() => undefined);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const withStale = async (options: CacheManagerOptions = {}): Promise<Fixture> => {
  const fixture = makeManager({ ttl: 1_000, grace: '1h', ...options });
  await fixture.manager.set('k', 'old');
  fixture.engine.advance(2_000);
  return fixture;
};

describe('the ttl of a value', () => {
  const base = { ...DEFAULTS, ttl: 1_000, fallback: undefined };
  const rule = (ttl?: number) => new TtlRule(ttl === undefined ? undefined : { ttl: () => ttl }, () => 0.5, vi.fn());
  const ask = { key: 'k', value: 1 as unknown, loadTime: undefined, chosen: undefined };

  it.each<[string, object, object, number | undefined, [number, number]]>([
    ['is that of the options', {}, {}, undefined, [1_000, 1_000]],
    ['may differ in each tier', { l1Ttl: 100, l2Ttl: 5_000 }, {}, undefined, [100, 5_000]],
    ['may be that of null', { nullTtl: 50 }, { value: null }, undefined, [50, 50]],
    ['of null limits the tiers', { nullTtl: 50, l1Ttl: 20, l2Ttl: 5_000 }, { value: null }, undefined, [20, 50]],
    ['of null is none of other values', { nullTtl: 50 }, {}, undefined, [1_000, 1_000]],
    ['that a strategy decides goes before that of null', { nullTtl: 50 }, { value: null }, 70, [70, 70]],
    ['that the loader decides goes before a strategy', {}, { chosen: 60 }, 70, [60, 60]],
    ['that the loader decides limits the tiers', { l1Ttl: 10, l2Ttl: 5_000 }, { chosen: 60 }, undefined, [10, 60]],
    ['is at most maxTtl, whoever decides it', { maxTtl: 40, l2Ttl: 5_000 }, { chosen: 60 }, undefined, [40, 40]],
    ['without end is at most maxTtl', { ttl: Infinity, maxTtl: 40 }, {}, undefined, [40, 40]],
    ['is shortened by chance, in all tiers alike', { l2Ttl: 2_000, jitter: 100 }, {}, undefined, [950, 1_950]],
    ['is never zero', { ttl: 10, jitter: 100 }, {}, undefined, [1, 1]],
  ])('%s', (_, freshness, question, strategy, [memoryTtl, ttl]) => {
    const lives = rule(strategy).decide({ ...base, ...freshness }, { ...ask, ...question });
    expect(lives).toEqual({ memoryTtl, ttl });
  });

  it('of each tier reaches the engine, for writes, loads and what is read remotely', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' }, l1Ttl: 10, l2Ttl: 500 });
    await manager.set('a', 1);
    await manager.getOrSet('b', () => 1, { l1Ttl: 20 });
    await turns();
    await manager.get('c');
    const sent = [Op.Set, Op.Fill, Op.Get, Op.Lookup].map((op) => engine.requestsOf(op)[0]!);
    expect(sent.map(({ memoryTtl }) => memoryTtl)).toEqual([10, 20, 10, 20]);
    expect(sent.slice(0, 2).map(({ ttl }) => ttl)).toEqual([500, 500]);
    expect(await manager.getOrSet('d', () => 1, { l2Ttl: null })).toBe(1);
    expect(engine.requestsOf(Op.Lookup)[1]!.memoryTtl).toBe(10);
  });

  it('in memory ends there first', async () => {
    const { manager, engine } = makeManager({ l1Ttl: 10, ttl: 1_000 });
    await manager.set('k', 1);
    expect(await manager.get('k')).toBe(1);
    engine.advance(11);
    expect(await manager.get('k')).toBeUndefined();
  });

  it('tags from the value reach the engine too, and a function that fails fails the call', async () => {
    const { manager, engine } = makeManager();
    const tags = (user: { team: number }): string[] => [`team:${user.team}`];
    await manager.set('a', { team: 1 }, { tags });
    await manager.getOrSet('b', () => ({ team: 2 }), { tags });
    await manager.getOrSet('c', (context) => { context.setTags(['mine']); return { team: 3 }; }, { tags }); // prettier-ignore
    await turns();
    const sent = [...engine.requestsOf(Op.Set), ...engine.requestsOf(Op.Fill)];
    expect(sent.map((request) => request.tags)).toEqual([['team:1'], ['team:2'], ['mine']]);
    const wrong = manager.getOrSet('d', () => 1, { tags: () => [5 as never] });
    await expect(wrong).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option: 'options.tags()' });
    await expect(manager.set('d', 1, { tags: () => { throw new Error('mine'); } })).rejects.toThrow('mine'); // prettier-ignore
    await turns();
    expect(engine.requestsOf(Op.Release)).toHaveLength(1);
  });
});

describe('graceBackoff', () => {
  it('serves the old value without a call of the loader until its time is over', async () => {
    const { manager, engine, errors } = await withStale({ graceBackoff: 500 });
    const load = vi.fn(down);
    for (let call = 0; call < 3; call++) expect(await manager.getOrSet('k', load)).toBe('old');
    expect(load).toHaveBeenCalledTimes(1);
    engine.advance(501);
    expect(await manager.getOrSet('k', load)).toBe('old');
    expect(load).toHaveBeenCalledTimes(2);
    await turns();
    engine.advance(501);
    expect(await manager.getOrSet('k', () => 'new')).toBe('new');
    expect(errors).toHaveLength(1);
  });

  it('ends with the old value', async () => {
    const { manager } = await withStale({ graceBackoff: '1h' });
    expect(await manager.getOrSet('k', down)).toBe('old');
    await manager.delete('k');
    expect(await manager.getOrSet('k', () => 'new')).toBe('new');
  });

  it('without it every call tries', async () => {
    const { manager } = await withStale();
    const load = vi.fn(down);
    for (let call = 0; call < 3; call++) await manager.getOrSet('k', load);
    expect(load).toHaveBeenCalledTimes(3);
  });
});

describe('swr', () => {
  it('gives the old value at once, and reloads behind it, once', async () => {
    const { manager, engine } = await withStale({ swr: true });
    const load = heldLoader<string>();
    let background: boolean | undefined;
    const loader = (context: LoaderContext): Promise<string> => {
      background = context.isBackground;
      return load.loader(context) as Promise<string>;
    };
    engine.hold = ({ op }) => op === Op.Lookup;
    expect(await Promise.all([1, 2, 3].map(() => manager.getOrSet('k', loader)))).toEqual(['old', 'old', 'old']);
    engine.release();
    await load.called;
    expect(await manager.getOrSet('k', loader)).toBe('old');
    load.resolve('new');
    await turns();
    expect([await manager.getOrSet('k', loader), load.calls, background]).toEqual(['new', 1, true]);
  });

  it('does not keep a caller waiting for L2 either, where L1 holds nothing', async () => {
    const { manager } = await withStale({ swr: true, hot: false });
    expect(await manager.getOrSet('k', never)).toBe('old');
  });

  it('waits for the loader where there is no old value', async () => {
    const { manager } = makeManager({ swr: true, grace: '1h' });
    expect(await manager.getOrSet('k', () => 'first')).toBe('first');
  });

  it('law 2: an invalidation during the reload drops its value', async () => {
    const { manager } = await withStale({ swr: true });
    const load = heldLoader<string>();
    expect(await manager.getOrSet('k', load.loader)).toBe('old');
    await load.called;
    await manager.delete('k');
    load.resolve('from before');
    await turns();
    expect(await manager.get('k')).toBeUndefined();
    expect(await manager.getOrSet('k', () => 'new')).toBe('new');
  });

  it('a reload that fails is an event, and the old value is served on', async () => {
    const { manager, errors } = await withStale({ swr: true, graceBackoff: '1m' });
    const load = vi.fn(down);
    for (let call = 0; call < 3; call++) {
      expect(await manager.getOrSet('k', load)).toBe('old');
      await turns();
    }
    expect([load.mock.calls.length, errors.length]).toEqual([1, 1]);
  });

  it('damaged bytes are no old value', async () => {
    const { manager, engine } = await withStale({ swr: true });
    engine.damage('k', Buffer.from('{"a":'));
    expect(await manager.getOrSet('k', () => 'repaired')).toBe('repaired');
  });
});

describe('errorTtl', () => {
  class Mine extends Error {
    readonly status = 503;
  }

  it('gives the very same error without a call of the loader until its time is over', async () => {
    const { manager, engine } = makeManager({ errorTtl: 500 });
    const error = new Mine('origin down');
    const load = vi.fn(() => Promise.reject(error));
    for (let call = 0; call < 3; call++) await expect(manager.getOrSet('k', load)).rejects.toBe(error);
    expect(load).toHaveBeenCalledTimes(1);
    await expect(manager.getOrSetMany(['k'], () => ({ k: 1 }))).rejects.toBe(error);
    engine.advance(501);
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
  });

  it.each<[string, (fixture: Fixture) => unknown]>([
    ['a delete', ({ manager }) => manager.delete('k')],
    ['a clear', ({ manager }) => manager.clear()],
    ['a clear of others', ({ engine }) => engine.invalidate('k')],
    ['an expire', ({ manager }) => manager.expire('k')],
  ])('%s ends it', async (_, invalidate) => {
    const fixture = makeManager({ errorTtl: '1h' });
    await expect(fixture.manager.getOrSet('k', down)).rejects.toThrow('origin down');
    await invalidate(fixture);
    expect(await fixture.manager.getOrSet('k', () => 1)).toBe(1);
  });

  it('one that happens during the load, too', async () => {
    const { manager } = makeManager({ errorTtl: '1h' });
    const load = heldLoader<number>();
    const failing = manager.getOrSet('k', load.loader);
    await load.called;
    await manager.delete('k');
    load.reject(new Error('from before'));
    await expect(failing).rejects.toThrow('from before');
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
  });

  it('a value that is set ends it, and one that was loaded', async () => {
    const { manager } = makeManager({ errorTtl: '1h' });
    await expect(manager.getOrSet('k', down)).rejects.toThrow('origin down');
    await manager.set('k', 1);
    expect(await manager.getOrSet('k', down)).toBe(1);
  });

  it('is not asked where there is an old value', async () => {
    const { manager } = await withStale({ errorTtl: '1h' });
    const load = vi.fn(down);
    for (let call = 0; call < 2; call++) expect(await manager.getOrSet('k', load)).toBe('old');
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('without it errors are never remembered', async () => {
    const { manager } = makeManager();
    await expect(manager.getOrSet('k', down)).rejects.toThrow('origin down');
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
  });
});

describe('fallback', () => {
  it('stands in for a first failure, for who named one, and is not stored', async () => {
    const { manager, errors } = makeManager();
    const load = heldLoader<string>();
    const calls = [
      manager.getOrSet('k', load.loader, { fallback: 'mine' }),
      manager.getOrSet('k', load.loader).catch((error: unknown) => error),
      manager.getOrSet('k', load.loader, { fallback: (error: Error) => `after: ${error.message}` }),
    ];
    await load.called;
    const failure = new Error('origin down');
    load.reject(failure);
    expect(await Promise.all(calls)).toEqual(['mine', failure, 'after: origin down']);
    await turns();
    expect(manager.peek('k')).toBeUndefined();
    expect(errors).toMatchObject([{ code: 'E_TURBOCACHE_LOADER', cause: failure, details: { key: 'k' } }]);
    expect(await manager.getOrSet('k', () => 'loaded', { fallback: 'mine' })).toBe('loaded');
  });

  it('goes behind an old value, and stands in for a loader that is too slow', async () => {
    const { manager } = await withStale({ fallback: 'mine' });
    expect(await manager.getOrSet('k', down)).toBe('old');
    expect(await manager.getOrSet('l', never, { hardTimeout: 5 })).toBe('mine');
  });

  it('is nobody’s to alter, and has the types that a hit would have', async () => {
    const at = new Date(0);
    const { manager } = makeManager({ fallback: { at, list: [1] }, errorTtl: '1h' });
    for (let call = 0; call < 2; call++) {
      const value = await manager.getOrSet<{ at: unknown; list: number[] }>('k', down);
      expect(value).toEqual({ at: at.toJSON(), list: [1] });
      value.list.push(2);
    }
  });

  it('that fails itself fails the call; undefined is nothing', async () => {
    const { manager } = makeManager();
    const failing = { fallback: () => { throw new Error('mine'); } }; // prettier-ignore
    await expect(manager.getOrSet('k', down, failing)).rejects.toThrow('mine');
    expect(await manager.getOrSet<unknown>('k', down, { fallback: () => undefined })).toBeUndefined();
    expect(await manager.getOrSet<unknown>('k', down, { fallback: null })).toBeNull();
  });

  it('hides neither a closed manager nor a loader that asks for itself', async () => {
    const { manager } = makeManager({ fallback: 'mine' });
    await expect(manager.getOrSet('k', () => manager.getOrSet('k', () => 1))).rejects.toMatchObject({
      code: 'E_TURBOCACHE_RECURSIVE_LOAD',
    });
    const load = heldLoader<number>();
    const refused = expect(manager.getOrSet('l', load.loader)).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
    await load.called;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const closing = manager.close();
    await vi.advanceTimersByTimeAsync(10_000);
    await refused;
    await closing;
  });
});

describe('loaderDeadline', () => {
  it('gives up a loader that hangs: its signal is aborted, its callers and the next one go on', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager, engine } = makeManager({ loaderDeadline: '10s' });
    const seen: unknown[] = [];
    let finish!: (value: string) => void;
    const call = manager.getOrSet<string>('k', ({ signal }) => {
      signal.addEventListener('abort', () => seen.push('aborted'));
      return new Promise((resolve) => (finish = resolve));
    });
    const joined = manager.getOrSet('k', () => 'another');
    await turns();
    vi.advanceTimersByTime(9_999);
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(1);
    for (const each of [call, joined]) {
      await expect(each).rejects.toBeInstanceOf(LoaderTimeoutError);
      await expect(each).rejects.toMatchObject({ option: 'loaderDeadline', details: { key: 'k' } });
    }
    expect(seen).toEqual(['aborted']);
    expect(await manager.getOrSet('k', () => 'next')).toBe('next');
    finish('too late');
    await turns();
    expect(await manager.get('k')).toBe('next');
    expect(engine.requestsOf(Op.Fill)).toHaveLength(1);
  });

  it('counts in the background, too: nobody is held for longer by a loader that hangs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager, errors, engine } = await withStale({ softTimeout: 5, loaderDeadline: '10s' });
    const call = manager.getOrSet('k', never);
    await turns();
    vi.advanceTimersByTime(5);
    expect(await call).toBe('old');
    vi.advanceTimersByTime(10_000);
    await turns();
    expect(engine.requestsOf(Op.Release)).toHaveLength(1);
    expect(errors).toMatchObject([{ code: 'E_TURBOCACHE_LOADER', cause: { option: 'loaderDeadline' } }]);
    expect(await manager.getOrSet('k', () => 'new')).toBe('new');
  });

  it('has a default, and null is no limit', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager } = makeManager();
    const hanging = manager.getOrSet('a', never);
    const patient = heldLoader<number>();
    const waiting = manager.getOrSet('b', patient.loader, { loaderDeadline: null });
    await turns();
    vi.advanceTimersByTime(24 * 3_600_000);
    await expect(hanging).rejects.toBeInstanceOf(LoaderTimeoutError);
    patient.resolve(1);
    expect(await waiting).toBe(1);
  });

  it('leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager } = makeManager();
    await manager.getOrSet('k', () => Promise.resolve(1));
    await expect(manager.getOrSet('l', down)).rejects.toThrow('origin down');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the loader’s context', () => {
  it('fail() throws its reason', async () => {
    const { manager } = makeManager();
    const reason = new RangeError('mine');
    await expect(manager.getOrSet('k', ({ fail }) => fail(reason))).rejects.toBe(reason);
    const told = manager.getOrSet('k', (context) => context.fail('no such user'));
    await expect(told).rejects.toBeInstanceOf(TurboCacheError);
    await expect(told).rejects.toMatchObject({ code: 'E_TURBOCACHE_LOADER', message: 'no such user' });
  });

  it('notModified() gives the old value another life, in the old encoding', async () => {
    const { manager, engine } = await withStale({ hot: false });
    const found = await manager.getOrSet<string>('k', ({ stale, notModified, setTtl }) => {
      expect(stale).toBe('old');
      setTtl(5_000);
      return notModified();
    });
    expect(found).toBe('old');
    await turns();
    expect(engine.requestsOf(Op.Fill)).toEqual([]);
    expect(engine.requestsOf(Op.Renew)).toMatchObject([{ ttl: 5_000, grace: 3_600_000, value: Buffer.alloc(0) }]);
    engine.advance(4_000);
    expect(await manager.get('k')).toBe('old');
    engine.advance(1_001);
    expect(await manager.get('k')).toBeUndefined();
  });

  it('notModified() in a reload ahead of time renews the value that is still fresh', async () => {
    const { manager, engine } = makeManager({ ttl: 1_000, eagerRefresh: 0.5 });
    await manager.set('k', { n: 1 });
    engine.advance(600);
    const seen: unknown[] = [];
    const loader = ({ stale, notModified, isBackground }: LoaderContext): { n: number } => {
      seen.push(stale, isBackground);
      return notModified();
    };
    expect(await manager.getOrSet('k', loader)).toEqual({ n: 1 });
    await turns();
    expect(seen).toEqual([{ n: 1 }, true]);
    engine.advance(600);
    expect(await manager.get('k')).toEqual({ n: 1 });
  });

  it('notModified() without an old value is an error that says so', async () => {
    const { manager } = makeManager();
    const call = manager.getOrSet('k', ({ notModified }) => notModified());
    await expect(call).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option: 'notModified' });
  });

  it('law 2: an invalidation before notModified() keeps the old value out', async () => {
    const { manager } = await withStale();
    const load = heldLoader<undefined>();
    const call = manager.getOrSet<string>('k', async (context) => {
      await load.loader(context);
      return context.notModified();
    });
    await load.called;
    await manager.delete('k');
    load.resolve(undefined);
    expect(await call).toBe('old');
    await turns();
    expect(await manager.get('k')).toBeUndefined();
  });
});

describe('earlyRefresh', () => {
  it('decides by the paper’s formula', () => {
    const ages = { ttl: 1_000, freshFor: 100, loadTime: 50 };
    // -ln(1 - r) * 50 >= 100 when r >= 1 - e^-2.
    const edge = 1 - Math.exp(-2);
    expect(isDue({ fraction: null, beta: 1 }, ages, () => edge + 1e-9)).toBe(true);
    expect(isDue({ fraction: null, beta: 1 }, ages, () => edge - 1e-9)).toBe(false);
    expect(isDue({ fraction: null, beta: 2 }, ages, () => 1 - Math.exp(-1) + 1e-9)).toBe(true);
    expect(isDue({ fraction: null, beta: 1 }, { ...ages, loadTime: 0 }, () => 1 - 2 ** -53)).toBe(false);
    expect(isDue({ fraction: null, beta: 1 }, { ...ages, ttl: 2 ** 30, freshFor: 2 ** 30 }, () => 0.999)).toBe(false);
  });

  it('is rare far from the end, certain at the end, and as likely as the formula says between', () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const share = (freshFor: number): number => {
      const ages = { ttl: 1_000, freshFor, loadTime: 100 };
      let due = 0;
      for (let n = 0; n < 20_000; n++) if (isDue({ fraction: null, beta: 1 }, ages, random)) due++;
      return due / 20_000;
    };
    for (const freshFor of [0, 50, 100, 300, 900]) expect(share(freshFor)).toBeCloseTo(Math.exp(-freshFor / 100), 1);
    expect(share(0)).toBe(1);
  });

  it.each([{ hot: false }, {}] as const)(
    'a hit by chance is returned at once and starts one reload (%j)',
    async (options) => {
      const chance = vi.spyOn(Math, 'random').mockReturnValue(0.5);
      const { manager, engine } = makeManager({ ttl: 10_000, earlyRefresh: 1, ...options });
      const first = heldLoader<number>();
      const loading = manager.getOrSet('k', first.loader);
      await first.called;
      engine.advance(1_000);
      vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_000);
      first.resolve(1);
      await loading;
      await turns();
      let n = 1;
      const load = (): number => ++n;
      engine.advance(5_000);
      expect(await manager.getOrSet('k', load)).toBe(1);
      await turns();
      expect(n).toBe(1);
      chance.mockReturnValue(0.9999);
      expect(await Promise.all([manager.getOrSet('k', load), manager.getOrSet('k', load)])).toEqual([1, 1]);
      await turns();
      expect(await manager.getOrSet('k', load, { earlyRefresh: null })).toBe(2);
      expect(n).toBe(2);
    },
  );
});

describe('a caller who joins a load', () => {
  it('loads anew when another process has made what the load brings old, before its message is here', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
    engine.refuse = ({ op }) => op === Op.Fill;
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', old.loader);
    await old.called;
    const during = manager.getOrSet('k', () => 'new');
    engine.hold = ({ op }) => op === Op.Fill;
    old.resolve('old');
    expect(await before).toBe('old');
    const behind = manager.getOrSet('k', () => 'newer');
    engine.release();
    expect(['new', 'newer']).toContain(await during);
    expect(['new', 'newer']).toContain(await behind);
  });
});

describe('options that cannot be right', () => {
  it.each<[string, unknown, string]>([
    ['l1Ttl', -1, 'E_TURBOCACHE_DURATION'],
    ['l2Ttl', 0, 'E_TURBOCACHE_DURATION'],
    ['maxTtl', '5', 'E_TURBOCACHE_DURATION'],
    ['nullTtl', NaN, 'E_TURBOCACHE_DURATION'],
    ['errorTtl', true, 'E_TURBOCACHE_DURATION'],
    ['graceBackoff', null, 'E_TURBOCACHE_DURATION'],
    ['loaderDeadline', 0, 'E_TURBOCACHE_DURATION'],
    ['swr', 1, 'E_TURBOCACHE_OPTION'],
    ['earlyRefresh', 0, 'E_TURBOCACHE_OPTION'],
    ['earlyRefresh', Infinity, 'E_TURBOCACHE_OPTION'],
  ])('%s: %j is refused with what would be right', async (option, got, code) => {
    expect(() => makeManager({ [option]: got })).toThrow(expect.objectContaining({ code, option, got }) as Error);
    const { manager } = makeManager();
    const call = manager.getOrSet('k', () => 1, { [option]: got });
    const inCall = code === 'E_TURBOCACHE_OPTION' ? 'E_TURBOCACHE_ARGUMENT' : code;
    await expect(call).rejects.toMatchObject({ code: inCall, option, got, expected: expect.any(String) as string });
  });

  it.each<[string, CacheManagerOptions]>([
    ['swr', { swr: true }],
    ['graceBackoff', { graceBackoff: 100 }],
    ['ttl', { ttl: '1h', maxTtl: '1m' }],
    ['hardTimeout', { hardTimeout: '1m', loaderDeadline: '1s' }],
    ['earlyRefresh', { ttl: null, earlyRefresh: 1 }],
  ])('%s that makes no sense with the others is said once, with advice', async (option, options) => {
    const { manager, warnings } = makeManager(options);
    await manager.get('k');
    await turns();
    expect(warnings).toMatchObject([{ code: 'E_TURBOCACHE_OPTION', option, expected: expect.any(String) as string }]);
  });
});

describe('options from several places', () => {
  it('the call goes before the cache, the cache before the manager', async () => {
    const { manager, engine } = makeManager({ ttl: 1_000, grace: 100, maxTtl: 10_000, nullTtl: 50 });
    const cache = manager.cache('users', { ttl: 2_000, nullTtl: 70 });
    await manager.set('a', 1);
    await cache.set('b', 1);
    await cache.set('c', 1, { ttl: 3_000, grace: 200 });
    await cache.set('d', null, { maxTtl: 60 });
    const sent = engine.requestsOf(Op.Set).map(({ ttl, grace }) => [ttl, grace]);
    expect(sent).toEqual([[1_000, 100], [2_000, 100], [3_000, 200], [60, 100]]); // prettier-ignore
  });
});
