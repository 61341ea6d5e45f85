import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ISerializer } from '../../index';
import { copyAny, copyJson } from '../../node/client/copy';
import { planCopy } from '../../node/client/copy-plan';
import { deepFreeze, traitsOf } from '../../node/client/freeze';
import { KeptValue } from '../../node/client/kept-value';
import { JsonCodec } from '../../node/client/serializer-json';
import { heldLoader, makeManager, turns } from './fixture';
import { deserialize, serialize } from 'node:v8';

/** Structured clone: dates, maps, sets, typed arrays, cycles, undefined. */
const v8Serializer: ISerializer = {
  id: 200,
  name: 'v8',
  serialize: (value) => serialize(value),
  deserialize: (bytes) => deserialize(bytes),
};

describe('copies', () => {
  it('of any JSON value are equal and share nothing', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text);
        const copy = copyJson(value);
        expect(copy).toStrictEqual(value);
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
        expectNothingShared(value, copy);
        const isObject = typeof value === 'object' && value !== null;
        const ofText = isObject ? [KeptValue.ofText(text, new JsonCodec())] : [];
        for (const kept of [KeptValue.of(value, 'copy', true, 0)!, ...ofText]) {
          const all = [value];
          for (let time = 0; time < 5; time++) {
            const taken = kept.take();
            expect(taken).toStrictEqual(value);
            for (const other of all) expectNothingShared(other, taken);
            all.push(taken);
          }
        }
      }),
    );
  });

  it('of a text are right however deep it is', () => {
    const text = `${'['.repeat(20_000)}1${']'.repeat(20_000)}`;
    const kept = KeptValue.ofText(text, new JsonCodec());
    const taken = [kept.take(), kept.take(), kept.take()];
    expect(new Set(taken).size).toBe(3);
    for (let value of taken) {
      for (let level = 0; level < 20_000; level++) value = (value as unknown[])[0];
      expect(value).toBe(1);
    }
  });

  it('by plan are made for regular values, and irregular or wide ones are looked through again', () => {
    expect(planCopy({ a: 1 })).toBe('flat');
    expect(planCopy([{ a: 1 }, { b: 'x' }])).toBe('flat items');
    expect(planCopy({ a: { b: [1] }, c: 1 })).toEqual({ names: ['a'], plans: [{ names: ['b'], plans: ['flat'] }] });
    expect(planCopy([{ a: {} }, 1])).toBe('unplanned');
    expect(planCopy(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`k${n}`, {}])))).toBe('unplanned');
  });

  it('keep an own __proto__ an own property', () => {
    const value: unknown = JSON.parse('{"__proto__":{"polluted":{"deep":1}},"a":{"__proto__":[1]}}');
    const kept = KeptValue.of(value, 'copy', true, 0)!;
    for (const copy of [copyJson(value), copyAny(value), kept.take(), kept.take(), kept.take()] as any[]) {
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      expect(copy.polluted).toBeUndefined();
      expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
    }
  });

  it('of everything else keep types, cycles and repeated references', () => {
    const inner = { n: 1 };
    const bytes = new Uint16Array([1, 2, 3]);
    const value: any = {
      date: new Date(5),
      map: new Map([[inner, new Set([inner])]]),
      bytes,
      buffer: Buffer.from('abc'),
      raw: new Uint8Array([9]).buffer,
      view: new DataView(new Uint8Array([1, 2]).buffer, 1),
      bare: Object.assign(Object.create(null), { x: [inner, inner] }),
      big: 1n,
      nothing: undefined,
    };
    value.self = value;
    expect(traitsOf(value)).toBe('copyable');
    const copy = copyAny(value) as any;
    expect(copy).toStrictEqual(value);
    expect(copy.self).toBe(copy);
    expect(copy.bare.x[0]).toBe(copy.bare.x[1]);
    expect([...copy.map.keys()][0]).toBe(copy.bare.x[0]);
    expect(copy.bare.x[0]).not.toBe(inner);
    expect(copy.bytes).toBeInstanceOf(Uint16Array);
    expect(Buffer.isBuffer(copy.buffer)).toBe(true);
    copy.bytes[0] = 7;
    copy.buffer[0] = 7;
    expect(bytes[0]).toBe(1);
    expect(value.buffer[0]).toBe(97);
  });

  it('are not tried for instances of unknown classes', () => {
    expect(traitsOf({ a: [new (class Money {})()] })).toBe('opaque');
    expect(traitsOf({ a: () => 1 })).toBe('opaque');
    expect(traitsOf(new Map([[1, new (class {})()]]))).toBe('opaque');
    expect(traitsOf({ a: [1, 'b', null] })).toBe('plain');
    expect(traitsOf('text')).toBe('primitive');
  });

  it('freezing reaches every level', () => {
    const value = { a: [{ b: {} }] };
    deepFreeze(value);
    expect(() => { value.a[0]!.b = 1; }).toThrow(TypeError); // prettier-ignore
    expect(() => value.a.push({ b: 1 })).toThrow(TypeError);
  });
});

describe('what reads hand out', () => {
  const original = () => ({ list: [1, 2], nested: { x: 1 } });

  it("'copy': nobody alters the cache by altering what it returned", async () => {
    const { manager } = makeManager();
    const loaded = original();
    const results = [await manager.getOrSet('k', () => loaded)];
    loaded.list.push(99);
    results.push(await manager.getOrSet('k', original), await manager.get<any>('k'), manager.peek('k')!);
    results.push((await manager.getMany<any>(['k']))[0], (await manager.getEntry<any>('k'))!.value);
    for (const result of results) {
      expect(result).toEqual(original());
      result.list.push(3);
      result.nested.x = 2;
    }
    expect(await manager.get('k')).toEqual(original());
  });

  it("'copy': callers who joined one load get a value each", async () => {
    const { manager } = makeManager();
    const load = heldLoader<any>();
    const calls = [1, 2, 3].map(() => manager.getOrSet('k', load.loader));
    await load.called;
    load.resolve(original());
    const [a, b, c] = await Promise.all(calls);
    expect(load.calls).toBe(1);
    expect(a).toEqual(b);
    expect(new Set([a, b, c]).size).toBe(3);
    expect(a.nested).not.toBe(b.nested);
  });

  it("'frozen': one frozen object for everybody, the first caller included", async () => {
    const { manager } = makeManager({ hot: { reads: 'frozen' } });
    const first = await manager.getOrSet('k', original);
    expect(Object.isFrozen(first.nested)).toBe(true);
    await turns();
    expect(await manager.get('k')).toBe(first);
    expect(manager.peek('k')).toBe(first);
  });

  it("'shared': one object for everybody, not frozen, and never the loader's own", async () => {
    const { manager } = makeManager({ hot: { reads: 'shared' } });
    const own = original();
    const first = await manager.getOrSet('k', () => own);
    expect(first).not.toBe(own);
    expect(Object.isFrozen(first)).toBe(false);
    await turns();
    expect(await manager.get('k')).toBe(first);
  });

  it('a named cache can hand out otherwise than its manager', async () => {
    const { manager } = makeManager();
    const frozen = manager.cache('f', { reads: 'frozen' });
    await frozen.set('k', original());
    expect(Object.isFrozen(await frozen.get('k'))).toBe(true);
  });

  it('a first call and every later call of any tier give deep-equal values', async () => {
    const { manager, engine } = makeManager();
    const value = { date: new Date(5), nothing: undefined, nan: NaN, map: new Map([[1, 2]]), nested: { keep: true } };
    const first = await manager.getOrSet<unknown>('k', () => value);
    expect(first).toStrictEqual({ date: new Date(5).toJSON(), nan: null, map: {}, nested: { keep: true } });
    expect(await manager.get('k')).toStrictEqual(first);
    const cold = makeManager({ hot: false });
    await cold.manager.getOrSet('k', () => value);
    expect(await cold.manager.get('k')).toStrictEqual(first);
    expect(engine.has('k')).toBe(true);
  });

  it('hold with hot: false and with values that the hot tier has no room for', async () => {
    for (const hot of [false, { maxBytes: 10 }] as const) {
      const { manager } = makeManager({ hot });
      const first = await manager.getOrSet('k', original);
      first.list.push(3);
      const second = (await manager.get<any>('k'))!;
      second.list.push(4);
      expect(await manager.get('k')).toEqual(original());
      expect(manager.stats().hot.entries).toBe(0);
    }
  });
});

describe("a user's serializer", () => {
  const rich = () => ({
    date: new Date(5),
    set: new Set([1]),
    bytes: new Uint8Array([1, 2]),
    list: [{ a: undefined }],
  });

  it.each(['copy', 'frozen'] as const)('keeps its types, and its values are protected with %s reads', async (reads) => {
    const { manager } = makeManager({ serializer: v8Serializer, hot: { reads } });
    const first = await manager.getOrSet('k', rich);
    expect(first).toStrictEqual(rich());
    await turns();
    const second = (await manager.get('k')) as typeof first;
    expect(second).toStrictEqual(rich());
    second.set.add(2);
    second.bytes[0] = 9;
    second.date.setTime(9);
    expect(await manager.get('k')).toStrictEqual(rich());
    expect(manager.stats().hot.hits).toBe(2);
  });

  it('may decode instances of its own classes: each read decodes them anew', async () => {
    class Money {
      constructor(public amount: number) {}
    }
    const serializer: ISerializer = {
      id: 129,
      name: 'money',
      serialize: (value) => String((value as Money).amount),
      deserialize: (bytes) => new Money(Number(Buffer.from(bytes).toString())),
    };
    const { manager } = makeManager({ serializer });
    const load = heldLoader<Money>();
    const calls = [manager.getOrSet('k', load.loader), manager.getOrSet('k', load.loader)];
    await load.called;
    load.resolve(new Money(5));
    const [a, b] = await Promise.all(calls);
    expect(a).toBeInstanceOf(Money);
    expect(a).not.toBe(b);
    a!.amount = 6;
    expect(await manager.get('k')).toEqual(new Money(5));
    expect(manager.stats().hot.entries).toBe(0);
  });

  it('may call the cache while it decodes', async () => {
    const { manager } = makeManager({
      serializer: {
        id: 130,
        name: 'curious',
        serialize: (value) => JSON.stringify(value),
        deserialize: (bytes) => {
          const value: unknown = JSON.parse(Buffer.from(bytes).toString());
          if (value === 'outer') manager.peek('inner');
          return value;
        },
      },
    });
    await manager.set('inner', 'inner');
    await manager.set('outer', 'outer', { tags: ['t'] });
    expect(await manager.get('outer')).toBe('outer');
    expect(await manager.get('outer')).toBe('outer');
    await manager.invalidateTags(['t']);
    expect(await manager.get('outer')).toBeUndefined();
    expect(await manager.get('inner')).toBe('inner');
  });
});

function expectNothingShared(a: unknown, b: unknown): void {
  if (typeof a !== 'object' || a === null) return;
  expect(a).not.toBe(b);
  for (const name of Object.keys(a)) expectNothingShared((a as any)[name], (b as any)[name]);
}
