import { describe, expect, it } from 'vitest';
import { InvalidArgumentError, LimitError, SerializationError } from '../../node/client';
import { Op } from '../../node/client/native';
import { makeManager } from './fixture';

describe('keys', () => {
  it.each([undefined, null, 1, {}, '', 'a\ud800b'])('%j is refused by every method', async (key) => {
    const { manager, engine } = makeManager();
    const bad = key as string;
    const calls = [
      manager.get(bad),
      manager.set(bad, 1),
      manager.delete(bad),
      manager.has(bad),
      manager.expire(bad),
      manager.getOrSet(bad, () => 1),
      manager.getMany(['good', bad]),
      manager.setMany([
        { key: 'good', value: 1 },
        { key: bad, value: 1 },
      ]),
      manager.deleteMany(['good', bad]),
      manager.getOrSetMany(['good', bad], () => ({})),
      manager.getEntry(bad),
    ];
    for (const call of calls) {
      await expect(call).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(call).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option: 'key' });
    }
    expect(() => manager.peek(bad)).toThrow(InvalidArgumentError);
    expect(engine.requests).toEqual([]);
  });

  it('are limited in UTF-8 bytes', async () => {
    const { manager } = makeManager({ maxKeyBytes: 10 });
    await manager.set('é'.repeat(5), 1);
    const tooLong = manager.set('é'.repeat(6), 1);
    await expect(tooLong).rejects.toBeInstanceOf(LimitError);
    await expect(tooLong).rejects.toMatchObject({ code: 'E_TURBOCACHE_KEY_TOO_LONG', got: 12 });
  });

  it('with any well-formed character find their own value', async () => {
    const { manager } = makeManager();
    const keys = ['é', 'e\u0301', '😀', ' ', '\0', 'a:b', '%', '__proto__', 'constructor'];
    await manager.setMany(keys.map((key, value) => ({ key, value })));
    expect(await manager.getMany(keys)).toEqual(keys.map((_, value) => value));
  });
});

describe('values', () => {
  it('undefined is refused, null is stored', async () => {
    const { manager } = makeManager();
    await expect(manager.set('k', undefined)).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option: 'value' });
    await manager.set('k', null);
    expect(await manager.get('k')).toBeNull();
    expect(await manager.has('k')).toBe(true);
    expect(manager.peek('k')).toBeNull();
  });

  const circular: { self?: unknown } = {};
  circular.self = circular;
  const deep: unknown[] = [];
  for (let level = deep, n = 0; n < 100_000; n++) level.push((level = [] as never));

  it.each([
    ['a function', () => 'secret'],
    ['a symbol', Symbol('secret')],
    ['a BigInt', { secret: 1n }],
    ['a circle', circular],
    ['a throwing toJSON', { toJSON: () => { throw new Error('x'); } }], // prettier-ignore
    ['too deep a nesting', deep],
  ])('%s is refused, by set and for a loader', async (_, value) => {
    const { manager, engine } = makeManager();
    const set = manager.set('k', value);
    await expect(set).rejects.toBeInstanceOf(SerializationError);
    await expect(set).rejects.toMatchObject({ code: 'E_TURBOCACHE_SERIALIZE', details: { key: 'k' } });
    await expect(set).rejects.not.toThrow('secret');
    await expect(manager.getOrSet('k', () => value)).rejects.toBeInstanceOf(SerializationError);
    // The lease was given back: the next load is not kept waiting.
    expect(await manager.getOrSet('k', () => 1)).toBe(1);
    expect(await manager.get('k')).toBe(1);
    expect(engine.requestsOf(Op.Release)).toHaveLength(1);
  });

  it('are limited in encoded bytes', async () => {
    const { manager } = makeManager({ maxValueBytes: '1kb' });
    await manager.set('k', 'x'.repeat(1_022));
    const tooLarge = manager.set('k', 'x'.repeat(1_023));
    await expect(tooLarge).rejects.toBeInstanceOf(LimitError);
    await expect(tooLarge).rejects.toMatchObject({ code: 'E_TURBOCACHE_VALUE_TOO_LARGE', got: 1_025 });
    await expect(manager.getOrSet('l', () => 'é'.repeat(600))).rejects.toMatchObject({
      code: 'E_TURBOCACHE_VALUE_TOO_LARGE',
    });
  });

  it('setMany with one bad value stores none', async () => {
    const { manager, engine } = makeManager();
    await expect(
      manager.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: undefined },
      ]),
    ).rejects.toThrow(InvalidArgumentError);
    await expect(manager.setMany([null as never])).rejects.toThrow(InvalidArgumentError);
    expect(engine.requests).toEqual([]);
  });
});

it('lists, loaders and tags of a wrong type are refused', async () => {
  const { manager } = makeManager();
  const refusals: [Promise<unknown>, string][] = [
    [manager.getMany('keys' as never), 'keys'],
    [manager.setMany({} as never), 'entries'],
    [manager.deleteMany(undefined as never), 'keys'],
    [manager.getOrSetMany('k' as never, () => ({})), 'keys'],
    [manager.getOrSetMany(['k'], {} as never), 'loadMissing'],
    [manager.getOrSet('k', 'value' as never), 'loader'],
    [manager.invalidateTags('tag' as never), 'tags'],
  ];
  for (const [call, option] of refusals)
    await expect(call).rejects.toMatchObject({ code: 'E_TURBOCACHE_ARGUMENT', option });
});
