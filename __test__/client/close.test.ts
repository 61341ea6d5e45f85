import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClosedError, MemoryAdapter } from '../../node/client';
import { Op } from '../../node/client/native';
import { heldLoader, makeManager, turns } from './fixture';

afterEach(() => {
  vi.useRealTimers();
});

describe('close()', () => {
  it('is idempotent, and every call behind it is refused', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
    await manager.set('k', 1);
    await manager.get('k');
    const closing = manager.close();
    expect(manager.close()).toBe(closing);
    const users = () => manager.cache('users');
    const calls = [
      manager.get('k'),
      manager.set('k', 1),
      manager.delete('k'),
      manager.has('k'),
      manager.expire('k'),
      manager.getOrSet('k', () => 1),
      manager.getMany(['k']),
      manager.setMany([{ key: 'k', value: 1 }]),
      manager.deleteMany(['k']),
      manager.getOrSetMany(['k'], () => ({})),
      manager.invalidateTags(['t']),
      manager.clear(),
      manager.getEntry('k'),
      manager.ready(),
    ];
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(ClosedError);
    expect(() => manager.peek('k')).toThrow(ClosedError);
    expect(users).toThrow(ClosedError);
    await closing;
    expect(engine.closed).toBe(true);
    expect(manager.stats().hot.entries).toBe(0);
  });

  it('waits for writes that are under way', async () => {
    const { manager, engine } = makeManager();
    engine.hold = ({ op }) => op === Op.Set;
    const write = manager.set('k', 1);
    const closing = manager.close();
    await turns();
    expect(engine.closed).toBe(false);
    engine.release();
    await Promise.all([write, closing]);
    expect(engine.closed).toBe(true);
  });

  it('lets running loads finish and store, and tells them by their signal', async () => {
    const { manager, engine } = makeManager();
    const load = heldLoader<string>();
    let signal!: AbortSignal;
    const call = manager.getOrSet<string>('k', (context) => {
      signal = context.signal;
      return load.loader(context);
    });
    await load.called;
    expect(signal.aborted).toBe(false);
    const closing = manager.close();
    expect(signal.aborted).toBe(true);
    load.resolve('v');
    expect(await call).toBe('v');
    await closing;
    expect(engine.requestsOf(Op.Fill)).toHaveLength(1);
  });

  it('does not wait for ever for a loader that hangs: its callers are told', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager, engine } = makeManager();
    const load = heldLoader<string>();
    const call = manager.getOrSet('k', load.loader);
    await load.called;
    const closing = manager.close();
    const refused = expect(call).rejects.toBeInstanceOf(ClosedError);
    await turns();
    await vi.advanceTimersByTimeAsync(5_000);
    await refused;
    await closing;
    load.resolve('too late');
    await turns();
    expect(engine.requestsOf(Op.Fill)).toEqual([]);
  });

  it('does not wait for ever for an engine that does not answer: its callers are told', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { manager, engine } = makeManager();
    engine.answersClose = false;
    engine.hold = () => true;
    const write = manager.set('k', 1);
    const refused = expect(write).rejects.toBeInstanceOf(ClosedError);
    const closing = manager.close();
    await vi.advanceTimersByTimeAsync(5_000);
    await turns();
    await vi.advanceTimersByTimeAsync(5_000);
    await closing;
    await refused;
  });

  it('a lookup that is answered during it still loads', async () => {
    const { manager, engine } = makeManager();
    engine.hold = ({ op }) => op === Op.Lookup;
    let aborted: boolean | undefined;
    const call = manager.getOrSet('k', ({ signal }) => {
      aborted = signal.aborted;
      return 'v';
    });
    await turns();
    const closing = manager.close();
    engine.release();
    expect(await call).toBe('v');
    expect(aborted).toBe(true);
    await closing;
  });

  it('closes the adapter, and a failure of that is an event', async () => {
    const closed = vi.fn(() => Promise.reject(new Error('busy')));
    const adapter = Object.assign(new MemoryAdapter(), { close: closed });
    const { manager, errors } = makeManager({ adapter });
    await manager.close();
    await turns();
    expect(closed).toHaveBeenCalledTimes(1);
    expect(errors).toMatchObject([{ code: 'E_TURBOCACHE_REMOTE' }]);
  });
});
