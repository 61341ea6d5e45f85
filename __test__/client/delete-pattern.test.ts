import { describe, expect, it } from 'vitest';
import { escapePattern } from '../../node/client';
import { Op, RequestFlag } from '../../node/client/native';
import { makeManager } from './fixture';

describe('deletePattern', () => {
  it('is one request, and its number is the number of removed keys', async () => {
    const { manager, engine } = makeManager();
    for (const key of ['user:1', 'user:2', 'order:1']) await manager.set(key, key);
    expect(await manager.deletePattern('user:*')).toBe(2);
    expect(engine.requestsOf(Op.DeletePattern)).toMatchObject([{ key: 'user:*', lease: 0, namespaceId: 0 }]);
    expect([await manager.get('user:1'), await manager.get('order:1')]).toEqual([undefined, 'order:1']);
  });

  it('belongs to its namespace', async () => {
    const { manager } = makeManager();
    const users = manager.cache('users');
    await Promise.all([manager.set('k', 0), users.set('k', 1), users.namespace('eu').set('k', 2)]);
    expect(await users.deletePattern('k*')).toBe(1);
    expect([await manager.get('k'), await users.get('k'), await users.namespace('eu').get('k')]).toEqual([
      0,
      undefined,
      2,
    ]);
  });

  it('tells how far it is to who asks', async () => {
    const { manager, engine } = makeManager();
    await manager.set('a', 1);
    const told: unknown[] = [];
    expect(await manager.deletePattern('*', { batch: 10, onProgress: (progress) => told.push(progress) })).toBe(1);
    expect(told).toEqual([{ scanned: 1, deleted: 0 }]);
    expect(engine.requestsOf(Op.DeletePattern)).toMatchObject([{ lease: 10, flags: RequestFlag.Progress }]);
    await manager.deletePattern('*');
    expect(engine.requestsOf(Op.DeletePattern)[1]).toMatchObject({ flags: 0 });
  });

  it('what onProgress throws is the failure of the call, and of no other', async () => {
    const { manager, errors } = makeManager();
    const broken = manager.deletePattern('*', {
      onProgress: () => {
        throw new Error('no progress');
      },
    });
    await expect(broken).rejects.toThrow('no progress');
    await manager.set('k', 1);
    expect(await manager.get('k')).toBe(1);
    expect(errors).toEqual([]);
  });

  it('counts nothing when the remote tier fails, and says what an adapter cannot do', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
    engine.fail = ({ op }) => (op === Op.DeletePattern ? 'E_TURBOCACHE_REMOTE' : undefined);
    expect(await manager.deletePattern('*')).toBe(0);
    engine.fail = ({ op }) => (op === Op.DeletePattern ? 'E_TURBOCACHE_UNSUPPORTED' : undefined);
    await expect(manager.deletePattern('*')).rejects.toMatchObject({ code: 'E_TURBOCACHE_UNSUPPORTED' });
  });

  it.each([
    ['', {}, 'pattern'],
    [undefined, {}, 'pattern'],
    [/user/, {}, 'pattern'],
    ['\ud800*', {}, 'pattern'],
    ['*', { batch: 0 }, 'batch'],
    ['*', { batch: 10_001 }, 'batch'],
    ['*', { batch: 1.5 }, 'batch'],
    ['*', { onProgress: true }, 'onProgress'],
    ['*', { progress: () => 1 }, 'progress'],
    ['*', 5, 'options'],
  ])('%j with %j is refused', async (pattern, options, option) => {
    const { manager, engine } = makeManager();
    const call = manager.deletePattern(pattern as string, options as never);
    await expect(call).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option });
    expect(engine.requests).toEqual([]);
  });

  it('is refused after close', async () => {
    const { manager } = makeManager();
    await manager.close();
    await expect(manager.deletePattern('*')).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
  });
});

describe('escapePattern', () => {
  it('takes the meaning from every metacharacter', () => {
    expect(escapePattern(String.raw`a*?[b-c]^\:é`)).toBe(String.raw`a\*\?\[b\-c\]\^\\:é`);
    expect(() => escapePattern(5 as never)).toThrow(expect.objectContaining({ code: 'E_TURBOCACHE_ARGUMENT' }));
  });
});
