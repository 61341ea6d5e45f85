import { describe, expect, it, vi } from 'vitest';
import { Op } from '../../node/client/native';
import { makeManager, turns } from './fixture';

describe('the way in', () => {
  it('all requests of a turn are one native call', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' }, hot: false });
    await Promise.all(Array.from({ length: 100 }, (_, n) => manager.set(`k${n}`, n)));
    expect(engine.submits).toBe(1);
    expect(engine.requests).toHaveLength(100);
  });

  it('a read hands over first what was written before it: a program sees its own writes', () => {
    const { manager } = makeManager();
    void manager.set('k', 1);
    expect(manager.peek('k')).toBe(1);
    void manager.set('k', 2);
    expect(manager.peek('k')).toBe(2);
    void manager.delete('k');
    expect(manager.peek('k')).toBeUndefined();
    void manager.setMany([{ key: 'k', value: 3 }]);
    expect(manager.peek('k')).toBe(3);
    void manager.clear();
    expect(manager.peek('k')).toBeUndefined();
  });

  it('keys and values of any size and alphabet arrive whole', async () => {
    const { manager, engine } = makeManager({ hot: false });
    const values = ['', 'a', 'é', '😀'.repeat(5_000), 'x'.repeat(40_000), 'é'.repeat(400_000), 'ü'.repeat(16_384)];
    await manager.setMany(values.map((value, n) => ({ key: `${'ß'.repeat(n)}k`, value, tags: ['täg', `t${n}`] })));
    expect(await manager.getMany(values.map((_, n) => `${'ß'.repeat(n)}k`))).toEqual(values);
    expect(engine.requests[2]!.tags).toEqual(['täg', 't2']);
    expect(await manager.getEntry('ßk')).toMatchObject({ value: 'a', tags: ['täg', 't1'], tier: 'memory' });
  });

  it('a request that the engine refuses as a whole ends, and is an event', async () => {
    const { manager, engine, errors } = makeManager();
    engine.breakSubmit = new Error('contract broken');
    await expect(manager.set('k', 1)).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
    engine.breakSubmit = undefined;
    await turns();
    expect(errors).toMatchObject([{ code: 'E_TURBOCACHE_NATIVE', cause: { message: 'contract broken' } }]);
    await manager.set('k', 1);
  });

  it('a turn that writes a lot is handed over in parts', async () => {
    const { manager, engine } = makeManager({ hot: false });
    const value = 'x'.repeat(100_000);
    await Promise.all(Array.from({ length: 50 }, (_, n) => manager.set(`k${n}`, value)));
    expect(engine.submits).toBeGreaterThan(3);
    expect(await manager.get('k49')).toBe(value);
  });
});

describe('the way out', () => {
  it('large values come by their own way', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
    await manager.get('k');
    engine.putRemote('k', { text: 'é'.repeat(50_000) });
    expect(await manager.get('k')).toEqual({ text: 'é'.repeat(50_000) });
    engine.evict('k');
    expect(await manager.getOrSet('k', () => ({ text: '' }))).toEqual({ text: 'é'.repeat(50_000) });
  });

  it('a long row of completions lets the event loop turn', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' }, hot: false });
    engine.hold = () => true;
    let answered = 0;
    const gets = Array.from({ length: 5_000 }, (_, n) => manager.get(`k${n}`).then(() => answered++));
    await turns();
    const seen: number[] = [];
    engine.release();
    for (let turn = 0; answered < 5_000; turn++) {
      await turns(1);
      seen.push(answered);
      expect(turn).toBeLessThan(1_000);
    }
    await Promise.all(gets);
    expect(Math.max(...seen.map((count, turn) => count - (seen[turn - 1] ?? 0)))).toBeLessThanOrEqual(2 * 1_024);
    expect(seen.length).toBeGreaterThanOrEqual(5);
  });

  it('continuations and serializers may call anything, the drain included', async () => {
    const { manager, engine } = makeManager({
      redis: { url: 'redis://h' },
      hot: false,
      serializer: {
        id: 200,
        name: 'reentrant',
        serialize: JSON.stringify,
        deserialize: (bytes) => {
          void manager.set('inside', 1);
          manager.peek('outside');
          engine.release();
          return JSON.parse(Buffer.from(bytes).toString()) as unknown;
        },
      },
    });
    engine.hold = ({ op }) => op === Op.Get;
    const gets = Array.from({ length: 20 }, (_, n) => manager.get(`k${n}`));
    await turns();
    for (let n = 0; n < 20; n++) engine.putRemote(`k${n}`, n);
    engine.release();
    expect(await Promise.all(gets)).toHaveLength(20);
    const again = Array.from({ length: 20 }, (_, n) => manager.get(`k${n}`));
    expect(await Promise.all(again)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(await manager.get('inside')).toBe(1);
  });

  it('close() from a continuation waits for the rest', async () => {
    const { manager } = makeManager({ redis: { url: 'redis://h' } });
    const first = manager.get('a').then(() => manager.close());
    const rest = [manager.get('b'), manager.set('c', 1)];
    await Promise.all([first, ...rest]);
    await expect(manager.get('a')).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
  });

  it('a memory-only miss costs no request', async () => {
    const { manager, engine } = makeManager();
    expect([await manager.get('k'), await manager.has('k'), manager.peek('k')]).toEqual([undefined, false, undefined]);
    expect(engine.requests).toEqual([]);
  });
});

describe('the event loop', () => {
  it('is held open exactly while requests wait', async () => {
    const refs: string[] = [];
    const original = globalThis.setInterval;
    const spy = vi.spyOn(globalThis, 'setInterval').mockImplementation(((body: () => void, ms: number) => {
      const timer = original(body, ms);
      const { ref, unref } = timer;
      timer.ref = () => (refs.push('ref'), ref.call(timer));
      timer.unref = () => (refs.push('unref'), unref.call(timer));
      return timer;
    }) as never);
    const { manager, engine } = makeManager();
    spy.mockRestore();
    expect(refs).toEqual(['unref']);
    engine.hold = () => true;
    const writes = [manager.set('a', 1), manager.set('b', 1)];
    expect(refs).toEqual(['unref', 'ref']);
    await turns();
    engine.release();
    await Promise.all(writes);
    expect(refs).toEqual(['unref', 'ref', 'unref']);
  });
});
