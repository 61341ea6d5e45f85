import { describe, expect, it } from 'vitest';
import { LockError } from '../../node/client';
import { Op, RequestFlag } from '../../node/client/native';
import { makeManager, turns } from './fixture';

describe('lock', () => {
  it('is asked for once, with what the call says, and released once', async () => {
    const { manager, engine } = makeManager();
    const lock = await manager.cache('jobs').lock('k', { ttl: '2s', wait: 50 });
    expect(lock).toMatchObject({ key: 'k', fencingToken: 1 });
    expect(lock.signal.aborted).toBe(false);
    expect(engine.requestsOf(Op.Lock)).toMatchObject([{ key: 'k', ttl: 2_000, grace: 50, lease: 1, flags: 0 }]);
    expect(await Promise.all([lock.release(), lock.release()])).toEqual([true, true]);
    expect(engine.requestsOf(Op.Unlock)).toHaveLength(1);
    expect(engine.locks.size).toBe(0);
  });

  it('leaves what is not said to the engine, and takes null for no limit', async () => {
    const { manager, engine } = makeManager();
    await manager.lock('a');
    await manager.lock('b', { wait: null });
    expect(engine.requestsOf(Op.Lock)).toMatchObject([
      { ttl: 0, flags: RequestFlag.Defaults },
      { grace: Infinity, flags: 0 },
    ]);
  });

  it('is released by `await using`', async () => {
    const { manager, engine } = makeManager();
    const lock = await manager.lock('k');
    await lock[Symbol.asyncDispose]();
    expect(engine.locks.size).toBe(0);
  });

  it('that is lost aborts its signal with a reason, and is not given back', async () => {
    const { manager, engine } = makeManager();
    const lock = await manager.lock('k');
    const reasons: unknown[] = [];
    lock.signal.addEventListener('abort', () => reasons.push(lock.signal.reason));
    engine.loseLock(1);
    await turns();
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toBeInstanceOf(LockError);
    expect(reasons[0]).toMatchObject({ code: 'E_TURBOCACHE_LOCK_LOST', details: { key: 'k' } });
    expect(await lock.release()).toBe(false);
  });

  it('that is not free in time, or that the store cannot give, is an error with a code', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
    engine.fail = ({ op }) => (op === Op.Lock ? 'E_TURBOCACHE_LOCK_TIMEOUT' : undefined);
    await expect(manager.lock('k')).rejects.toMatchObject({
      name: 'LockError',
      code: 'E_TURBOCACHE_LOCK_TIMEOUT',
      option: 'wait',
      details: { key: 'k' },
    });
    engine.fail = ({ op }) => (op === Op.Lock ? 'E_TURBOCACHE_UNSUPPORTED' : undefined);
    await expect(manager.lock('k')).rejects.toMatchObject({ code: 'E_TURBOCACHE_UNSUPPORTED' });
  });

  it('that is not wanted any more is given back whenever it comes', async () => {
    const { manager, engine } = makeManager();
    engine.hold = ({ op }) => op === Op.Lock;
    const controller = new AbortController();
    const wanted = manager.lock('k', { signal: controller.signal });
    await turns();
    const reason = new Error('the request has gone');
    controller.abort(reason);
    await expect(wanted).rejects.toBe(reason);
    await turns();
    engine.release();
    await turns();
    expect(engine.locks.size).toBe(0);
    await expect(manager.lock('k', { signal: controller.signal })).rejects.toBe(reason);
    expect(engine.requestsOf(Op.Lock)).toHaveLength(1);
    controller.abort();
  });

  it('an abort without an error is one with a code', async () => {
    const { manager } = makeManager();
    await expect(manager.lock('k', { signal: AbortSignal.abort('enough') })).rejects.toMatchObject({
      code: 'E_TURBOCACHE_ARGUMENT',
      option: 'signal',
      cause: 'enough',
    });
  });

  it('ends with the manager', async () => {
    const { manager, engine } = makeManager();
    const lock = await manager.lock('k');
    await manager.close();
    expect(lock.signal.reason).toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
    expect(engine.locks.size).toBe(0);
    await expect(manager.lock('k')).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
  });

  it.each([
    [{ ttl: 99 }, 'ttl'],
    [{ ttl: '25h' }, 'ttl'],
    [{ ttl: null }, 'ttl'],
    [{ wait: -1 }, 'wait'],
    [{ wait: 'soon' }, 'wait'],
    [{ signal: {} }, 'signal'],
    [{ timeout: 5 }, 'timeout'],
    [5, 'options'],
  ])('%j is refused', async (options, option) => {
    const { manager, engine } = makeManager();
    const call = manager.lock('k', options as never);
    await expect(call).rejects.toMatchObject({ name: 'InvalidArgumentError', option });
    await expect(manager.lock('')).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT' });
    expect(engine.requests).toEqual([]);
  });
});
