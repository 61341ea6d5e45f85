import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LoaderContext } from '../../index';
import { LoaderTimeoutError, RecursiveLoadError } from '../../node/client';
import { Op } from '../../node/client/native';
import { heldLoader, makeManager, turns } from './fixture';

const never = (): Promise<never> => new Promise(() => undefined);

afterEach(() => {
  vi.useRealTimers();
});

describe('one load', () => {
  it('serves all callers of a key', async () => {
    const { manager, engine } = makeManager();
    const load = heldLoader<number>();
    const early = [manager.getOrSet('k', load.loader), manager.getOrSet('k', load.loader)];
    await load.called;
    const late = manager.getOrSet('k', load.loader);
    load.resolve(7);
    expect(await Promise.all([...early, late])).toEqual([7, 7, 7]);
    expect(load.calls).toBe(1);
    expect(engine.requestsOf(Op.Lookup)).toHaveLength(1);
  });

  it('can be joined until its value is stored', async () => {
    const { manager, engine } = makeManager({ memory: false, hot: false });
    engine.hold = ({ op }) => op === Op.Fill;
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
    expect(await manager.getOrSet('k', () => 2)).toBe(1);
    engine.release();
    await turns();
    expect(await manager.getOrSet('k', () => 3)).toBe(3);
  });

  it('that fails fails all callers with the loader’s own error, and the next call loads again', async () => {
    const { manager } = makeManager();
    const failure = new Error('origin down');
    const load = heldLoader<number>();
    const calls = [manager.getOrSet('k', load.loader), manager.getOrSet('k', load.loader)];
    await load.called;
    load.reject(failure);
    for (const call of calls) await expect(call).rejects.toBe(failure);
    await expect(manager.getOrSet('k', () => { throw 'not even an error'; })).rejects.toBe('not even an error'); // prettier-ignore
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
  });

  it('that gives undefined is not stored, nor is one that calls skip()', async () => {
    const { manager, engine } = makeManager();
    const nothing = await manager.getOrSet<unknown>('k', () => undefined);
    expect(nothing).toBeUndefined();
    expect(await manager.getOrSet('k', async ({ skip }) => { skip(); return { a: 1 }; })).toEqual({ a: 1 }); // prettier-ignore
    await turns();
    expect(engine.requestsOf(Op.Fill)).toEqual([]);
    expect(engine.requestsOf(Op.Release)).toHaveLength(2);
    expect(await manager.getOrSet('k', () => null)).toBeNull();
    await turns();
    expect(manager.peek('k')).toBeNull();
  });

  it('in another isolate is waited for', async () => {
    const { manager, engine } = makeManager();
    engine.hold = ({ op }) => op === Op.Lookup;
    const call = manager.getOrSet('k', () => 'mine');
    await turns();
    engine.putRemote('k', 'theirs');
    engine.hold = () => false;
    await manager.set('k', 'theirs');
    engine.release();
    // The fake decided the lookup when it came; what matters is that exactly one value reaches the caller.
    expect(['mine', 'theirs']).toContain(await call);
  });

  it('runs in the AsyncLocalStorage context of its caller', async () => {
    const { manager } = makeManager();
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    await request.run('request 1', () => manager.getOrSet('k', () => { seen.push(request.getStore()); return 1; })); // prettier-ignore
    await request.run('request 2', () =>
      manager.getOrSetMany(['a', 'b'], (keys) => {
        seen.push(request.getStore());
        return keys;
      }),
    );
    expect(seen).toEqual(['request 1', 'request 2']);
  });
});

describe('law 2: no stale fill', () => {
  it('a call that begins behind an invalidation starts a new load; those before it may have the old value', async () => {
    const { manager, engine } = makeManager();
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', old.loader);
    await old.called;
    engine.invalidate('k');
    const fresh = heldLoader<string>();
    const after = manager.getOrSet('k', fresh.loader);
    await fresh.called;
    old.resolve('old');
    expect(await before).toBe('old');
    await turns();
    expect(manager.peek('k')).toBeUndefined();
    fresh.resolve('new');
    expect(await after).toBe('new');
    await turns();
    expect(manager.peek('k')).toBe('new');
  });

  it('an invalidation does not abort the signal of a loader: callers who joined before get its value', async () => {
    const { manager, engine } = makeManager();
    let signal: AbortSignal | undefined;
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', (context) => {
      signal = context.signal;
      return old.loader(context);
    });
    await old.called;
    engine.invalidate('k');
    await manager.delete('k');
    expect(signal?.aborted).toBe(false);
    old.resolve('old');
    expect(await before).toBe('old');
    expect(signal?.aborted).toBe(false);
  });

  it.each<[string, (manager: ReturnType<typeof makeManager>['manager']) => Promise<unknown>]>([
    ['delete', (manager) => manager.delete('k')],
    ['expire', (manager) => manager.expire('k')],
    ['clear', (manager) => manager.clear()],
    ['set', (manager) => manager.set('k', 'set')],
  ])('a %s in the same turn is such an invalidation', async (name, invalidate) => {
    const { manager } = makeManager();
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', old.loader);
    await old.called;
    const done = invalidate(manager);
    const after = manager.getOrSet('k', () => 'new');
    expect(await after).toBe(name === 'set' ? 'set' : 'new');
    old.resolve('old');
    expect(await before).toBe('old');
    await done;
    await turns();
    expect(await manager.get('k')).toBe(name === 'set' ? 'set' : 'new');
  });

  it('a tag that is invalidated during the load makes callers behind it load again', async () => {
    const { manager } = makeManager();
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', old.loader, { tags: ['t'] });
    await old.called;
    const invalidated = manager.invalidateTags(['t']);
    const after = manager.getOrSet('k', () => 'new', { tags: ['t'] });
    old.resolve('old');
    expect(await before).toBe('old');
    expect(await after).toBe('new');
    await invalidated;
    await turns();
    expect(manager.peek('k')).toBe('new');
  });

  it('also a tag that only the loader names', async () => {
    const { manager } = makeManager();
    const old = heldLoader<string>();
    const before = manager.getOrSet('k', (context: LoaderContext) => {
      context.setTags(['late']);
      return old.loader(context);
    });
    await old.called;
    await manager.invalidateTags(['late']);
    const after = manager.getOrSet('k', () => 'new');
    old.resolve('old');
    expect(await before).toBe('old');
    expect(await after).toBe('new');
  });

  it('callers of a tagged load that was stored do not load again', async () => {
    const { manager } = makeManager();
    const load = heldLoader<string>();
    const calls = [1, 2, 3].map(() => manager.getOrSet('k', load.loader, { tags: ['t'] }));
    await load.called;
    load.resolve('v');
    expect(await Promise.all(calls)).toEqual(['v', 'v', 'v']);
    expect(load.calls).toBe(1);
  });

  it('a value whose fill is refused does not reach the hot tier', async () => {
    const { manager, engine } = makeManager();
    engine.hold = ({ op }) => op === Op.Fill;
    await manager.getOrSet('k', () => 'v');
    engine.invalidate('k');
    engine.release();
    await turns();
    expect(manager.peek('k')).toBeUndefined();
    expect(manager.stats().hot.hits).toBe(0);
  });
});

describe('a loader', () => {
  it('is told its key, and may set ttl and tags from the value', async () => {
    const { manager, engine } = makeManager();
    await manager.getOrSet('k', ({ key, stale, isBackground, setTtl, setTags, signal }) => {
      expect([key, stale, isBackground, signal.aborted]).toEqual(['k', undefined, false, false]);
      setTtl('1h');
      setTags(['a', 'b', 'a']);
      return 1;
    });
    await turns();
    expect(engine.requestsOf(Op.Fill)).toMatchObject([{ ttl: 3_600_000, tags: ['a', 'b'] }]);
  });

  it('that sets a wrong ttl or wrong tags fails', async () => {
    const { manager } = makeManager();
    await expect(manager.getOrSet('k', ({ setTtl }) => setTtl(-1))).rejects.toMatchObject({
      code: 'E_TURBOCACHE_DURATION',
    });
    await expect(manager.getOrSet('k', ({ setTags }) => setTags([5 as never]))).rejects.toMatchObject({
      code: 'E_TURBOCACHE_ARGUMENT',
    });
  });

  it('that asks for its own key fails at once, directly and through others', async () => {
    const { manager } = makeManager();
    const direct = manager.getOrSet<number>('k', () => manager.getOrSet<number>('k', () => 1));
    await expect(direct).rejects.toBeInstanceOf(RecursiveLoadError);
    await expect(direct).rejects.toMatchObject({ code: 'E_TURBOCACHE_RECURSIVE_LOAD', details: { key: 'k' } });
    const through = manager.getOrSet<number>('a', async () => {
      await turns(1);
      return manager.getOrSet<number>('b', () => manager.getOrSet<number>('a', () => 1));
    });
    await expect(through).rejects.toBeInstanceOf(RecursiveLoadError);
    await expect(
      manager.getOrSetMany(['x', 'y'], (keys) => manager.getOrSetMany(keys, () => ({})) as never),
    ).rejects.toBeInstanceOf(RecursiveLoadError);
  });

  it('may ask for other keys, and for the same key of another namespace', async () => {
    const { manager } = makeManager();
    const other = manager.namespace('other');
    expect(await manager.getOrSet('k', () => other.getOrSet('k', () => manager.getOrSet('l', () => 1)))).toBe(1);
  });

  it('that has finished is nobody’s parent: what it started may ask for its key', async () => {
    const { manager } = makeManager();
    let after: Promise<number> | undefined;
    await manager.getOrSet('k', () => {
      after = turns(3).then(() => manager.getOrSet('k', () => 2));
      return 1;
    });
    await manager.delete('k');
    expect(await after).toBe(2);
  });
});

describe('grace and timeouts', () => {
  const withStale = async (options = {}) => {
    const fixture = makeManager({ ttl: 1_000, grace: '1h', ...options });
    await fixture.manager.set('k', 'old');
    fixture.engine.advance(2_000);
    return fixture;
  };

  it('an old value is never a hit', async () => {
    const { manager } = await withStale();
    expect(await manager.get('k')).toBeUndefined();
    expect(manager.peek('k')).toBeUndefined();
    expect(await manager.has('k')).toBe(false);
  });

  it('an old value is served when the loader fails, and that is reported once', async () => {
    const { manager, errors } = await withStale();
    const failing = () => Promise.reject(new Error('origin down'));
    expect(await manager.getOrSet('k', failing)).toBe('old');
    expect(await manager.getOrSet('k', failing)).toBe('old');
    await turns();
    expect(errors).toHaveLength(1);
    expect(errors[0]!.cause).toEqual(new Error('origin down'));
    expect(await manager.getOrSet('k', () => 'new')).toBe('new');
    expect(await manager.getOrSet('k', failing)).toBe('new');
  });

  it('the loader sees the old value, and its own copy of it', async () => {
    const { manager, engine } = makeManager({ ttl: 1_000, grace: '1h' });
    await manager.set('k', { n: 1 });
    engine.advance(2_000);
    const result = await manager.getOrSet<{ n: number }>('k', (context) => {
      (context.stale as { n: number }).n++;
      expect(context.stale).toEqual({ n: 2 });
      return Promise.reject(new Error('x'));
    });
    expect(result).toEqual({ n: 1 });
  });

  it('while somebody else loads, the old value is returned at once', async () => {
    const { manager } = await withStale();
    const load = heldLoader<string>();
    const first = manager.getOrSet('k', load.loader);
    await load.called;
    const elsewhere = manager.getOrSetMany(['k'], () => never());
    load.resolve('new');
    expect(await first).toBe('new');
    expect(await elsewhere).toEqual(['new']);
  });

  it('softTimeout: the old value comes when the loader is slow, the new one is stored behind it', async () => {
    const { manager } = await withStale();
    const load = heldLoader<string>();
    let background: boolean | undefined;
    const call = manager.getOrSet<string>('k', async (context) => {
      const value = await load.loader(context);
      background = context.isBackground;
      return value;
    }, { softTimeout: 5 }); // prettier-ignore
    expect(await call).toBe('old');
    load.resolve('new');
    await turns();
    expect(background).toBe(true);
    expect(await manager.get('k')).toBe('new');
  });

  it('softTimeout 0: the old value comes at once', async () => {
    const { manager } = await withStale();
    const load = heldLoader<string>();
    expect(await manager.getOrSet('k', load.loader, { softTimeout: 0 })).toBe('old');
    await load.called;
    load.resolve('new');
  });

  it('hardTimeout: without an old value the caller gets an error, and the load goes on', async () => {
    const { manager } = makeManager();
    const load = heldLoader<string>();
    const call = manager.getOrSet('k', load.loader, { hardTimeout: 5 });
    await expect(call).rejects.toBeInstanceOf(LoaderTimeoutError);
    await expect(call).rejects.toMatchObject({ code: 'E_TURBOCACHE_LOADER_TIMEOUT', details: { key: 'k' } });
    const patient = manager.getOrSet('k', () => 'another');
    load.resolve('late');
    expect(await patient).toBe('late');
  });

  it('hardTimeout: with an old value the caller gets that', async () => {
    const { manager } = await withStale();
    expect(await manager.getOrSet('k', never, { hardTimeout: 5 })).toBe('old');
  });

  it('a loader within its limits is not disturbed, and a timer is not left behind', async () => {
    const { manager } = makeManager();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    expect(await manager.getOrSet('k', () => 1, { softTimeout: '1h', hardTimeout: '2h' })).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a slow cache does not use up the loader’s time', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h', commandTimeout: '1h' } });
    engine.hold = ({ op }) => op === Op.Lookup;
    const call = manager.getOrSet('k', () => 1, { hardTimeout: 1 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    engine.release();
    expect(await call).toBe(1);
  });

  it('a load elsewhere is not waited for longer than hardTimeout either', async () => {
    const { manager, engine } = makeManager();
    engine.hold = ({ op }) => op === Op.Lookup;
    await expect(manager.getOrSet('k', () => 1, { hardTimeout: 5 })).rejects.toBeInstanceOf(LoaderTimeoutError);
  });

  it('a load that fails behind its timed-out callers is reported once', async () => {
    const { manager, errors } = makeManager();
    for (const key of ['a', 'b']) {
      const load = heldLoader<string>();
      await expect(manager.getOrSet(key, load.loader, { hardTimeout: 1 })).rejects.toBeInstanceOf(LoaderTimeoutError);
      load.reject(new Error('late failure'));
      await turns();
    }
    expect(errors).toHaveLength(1);
  });
});

describe('eagerRefresh', () => {
  it.each([{ hot: false }, {}] as const)(
    'a hit of old age is returned at once and starts one reload (%j)',
    async (options) => {
      const { manager, engine } = makeManager({ ttl: 1_000, eagerRefresh: 0.8, ...options });
      let n = 0;
      const loader = ({ isBackground }: LoaderContext): string => `${++n}${isBackground ? ' in the background' : ''}`;
      expect(await manager.getOrSet('k', loader)).toBe('1');
      await turns();
      engine.advance(700);
      expect(await manager.getOrSet('k', loader)).toBe('1');
      engine.advance(150);
      expect(await Promise.all([manager.getOrSet('k', loader), manager.getOrSet('k', loader)])).toEqual(['1', '1']);
      await turns();
      expect(await manager.getOrSet('k', loader)).toBe('2 in the background');
      engine.advance(900);
      await manager.getOrSet('k', loader);
      await turns();
      expect(n).toBe(3);
    },
  );

  it('a failing reload keeps the value, is reported once, and is not tried again for the same entry', async () => {
    const { manager, engine, errors } = makeManager({ ttl: 1_000, eagerRefresh: 0.5 });
    await manager.set('k', 'v');
    engine.advance(600);
    const load = vi.fn(() => Promise.reject(new Error('down')));
    for (let call = 0; call < 3; call++) {
      expect(await manager.getOrSet('k', load)).toBe('v');
      await turns();
    }
    expect(load).toHaveBeenCalledTimes(1);
    expect(errors).toHaveLength(1);
  });

  it('is left to whoever already does it', async () => {
    const { manager, engine } = makeManager({ ttl: 1_000, eagerRefresh: 0.5 });
    await manager.set('k', 'v');
    engine.advance(600);
    const other = heldLoader<string>();
    await manager.getOrSet('k', other.loader);
    await other.called;
    const view = manager.cache('same', {});
    expect(view).toBeDefined();
    const mine = vi.fn(() => 'mine');
    await manager.getOrSet('k', mine);
    await turns();
    expect(mine).not.toHaveBeenCalled();
    other.resolve('w');
  });
});

describe('bytes that cannot be decoded', () => {
  it('are a counted miss for every read', async () => {
    const { manager, engine } = makeManager({ hot: false });
    await manager.set('k', { a: 1 });
    engine.damage('k', Buffer.from('{"a":'));
    expect(await manager.get('k')).toBeUndefined();
    expect(manager.peek('k')).toBeUndefined();
    expect(await manager.getEntry('k')).toBeUndefined();
    expect(manager.stats().remote.rejected).toBe(3);
  });

  it('are replaced by the next load', async () => {
    const { manager, engine } = makeManager();
    await manager.set('k', { a: 1 });
    engine.damage('k', Buffer.from([0xff, 0xfe]));
    expect(await manager.getOrSet('k', () => 'repaired')).toBe('repaired');
    await turns();
    expect(await manager.get('k')).toBe('repaired');
    expect(manager.stats().remote.rejected).toBeGreaterThan(0);
  });
});

describe('the type of what getOrSet gives', () => {
  it('is that of what the loader gives, also when the loader looks at its context', async () => {
    const { manager } = makeManager();
    const plain: number = await manager.getOrSet('a', () => 1);
    const looking: number = await manager.getOrSet('b', async (context) => {
      context.setTtl('1m');
      return Promise.resolve(2);
    });
    expect([plain, looking]).toEqual([1, 2]);
  });
});
