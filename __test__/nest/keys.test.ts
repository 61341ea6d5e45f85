import fc from 'fast-check';
import { cacheKey } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../nest-module/key/canonical';
import { errorOf } from './fixture';

const one = (value: unknown): string => cacheKey('k#{v?}', { v: value }).slice(1);

describe('values in a key', () => {
  it.each<[unknown, string]>([
    [42, '42'],
    [-0, '0'],
    [1.5, '1.5'],
    [42n, '42n'],
    [true, 'true'],
    ['oslo', 'oslo'],
    ['Ærø 12', 'Ærø 12'],
    ['', ''],
    ['4f1c-9a', '4f1c-9a'],
    ['42', '~42'],
    ['42n', '~42n'],
    ['true', '~true'],
    ['~x', '~~x'],
    ['042', '042'],
    ['null', 'null'],
    [null, '~null'],
    [undefined, '~undefined'],
    [NaN, '~NaN'],
    ['a:b', 'a%3Ab'],
    ['50%', '50%25'],
    ['a\nb', 'a%0Ab'],
    ['\ud800', '%u00D800'],
    [new Date(5), '~Date(5)'],
    [{ b: 1, a: [2] }, '~{"a"%3A[2],"b"%3A1}'],
  ])('%o is printed as %s', (value, text) => {
    expect(one(value)).toBe(text);
  });

  it('meet in one key only when they are the same (law 11)', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[~%:\-.|0-9ntrue]{0,4}$/),
      fc.constantFrom('\ud800', '\udfff', '%3A', '%u00D800', '~null'),
    );
    const value = fc.oneof(
      text,
      fc.double(),
      fc.integer(),
      fc.bigInt(),
      fc.boolean(),
      fc.constantFrom(null, undefined),
    );
    const data = fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
    const templates = ['#{a?}:#{b?}', '#{a?}-#{b?}', 'x#{a?}.y|z#{b?}w', '#{a?} and#{b?}', 'p#{a?};#{b?}'];
    fc.assert(
      fc.property(
        fc.constantFrom(...templates),
        fc.tuple(data, data),
        fc.tuple(data, data),
        (template, left, right) => {
          const keyOf = ([a, b]: [unknown, unknown]): string => cacheKey(template, { a, b }, Infinity);
          expect(keyOf(left) === keyOf(right)).toBe(sameValues(left, right));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('move no text from one slot to the next', () => {
    const half = fc.string({ unit: fc.constantFrom('a', ':', '-', '%', '~', '1'), maxLength: 4 });
    fc.assert(
      fc.property(
        fc.constantFrom('#{a}:#{b}', '#{a}-#{b}', '#{a}a-#{b}'),
        half,
        half,
        half,
        half,
        (template, a, b, c, d) => {
          if (a === c && b === d) return;
          expect(cacheKey(template, { a, b })).not.toBe(cacheKey(template, { a: c, b: d }));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('canonical text', () => {
  it('does not depend on the order of fields, of map entries or of set members', () => {
    expect(canonical({ b: { y: 1, x: 2 }, a: 1 })).toBe(canonical({ a: 1, b: { x: 2, y: 1 } }));
    expect(
      canonical(
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ),
    ).toBe(
      canonical(
        new Map([
          ['a', 2],
          ['b', 1],
        ]),
      ),
    );
    expect(canonical(new Set([2, 1]))).toBe(canonical(new Set([1, 2])));
  });

  it('takes objects of query parsers, which have an empty prototype, for plain ones', () => {
    function NullObject(): void {}
    NullObject.prototype = Object.create(null);
    const query = new (NullObject as any)();
    expect(canonical(query)).toBe('{}');
    expect(canonical(Object.assign(query, { a: 1 }))).toBe(canonical({ a: 1 }));
  });

  it('tells apart what JSON confuses', () => {
    class Money {
      constructor(readonly amount: number) {}
    }
    class Id {
      readonly #id: number;
      constructor(id: number) {
        this.#id = id;
      }
      toJSON(): number {
        return this.#id;
      }
    }
    const values = [
      [undefined], [null], [], [NaN], ['NaN'], [Infinity], [1n], [1], ['1'], [[]], [{}], [{ a: undefined }], [new Date(0)],
      [new Date(NaN)], [0], [new Map()], [new Set()], [new Set([1])], [new Map([[1, 1]])], [/a/], [/a/g], [new URL('http://a/')],
      [new URL('http://b/')], [Buffer.from([1])], [new Uint8Array([1])], [new Money(1)], [{ amount: 1 }], [new Id(1)], [new Id(2)],
      [[1, 2]], [[1], 2], [1, 2], ['1,2'], ['Date(0)'],
    ]; // prettier-ignore
    expect(new Set(values.map((value) => canonical(value))).size).toBe(values.length);
  });

  it('is different for different JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
        expect(canonical(a) === canonical(b)).toBe(sameValues(a, b));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each<[string, unknown]>([
    ['functions', () => 1],
    ['symbols', Symbol('x')],
    ['objects that show nothing of themselves', Promise.resolve(1)],
    ['cycles', cycle()],
    ['more objects than a key is for', Array.from({ length: 10_001 }, () => ({}))],
  ])('refuses %s', (_, value) => {
    expect(() => canonical(value)).toThrow();
  });
});

describe('cacheKey', () => {
  it('keeps a readable beginning of a long key and the digest of all of it', () => {
    const long = (end: string): string => cacheKey('doc:#{text}', { text: 'x'.repeat(1_000) + end });
    expect(long('a')).toMatch(/^doc:x{60}~sha256:[\w-]{43}$/);
    expect(long('a')).not.toBe(long('b'));
    expect(cacheKey('doc:#{text}', { text: 'y'.repeat(252) })).toHaveLength(256);
  });

  it('reads own fields and getters, nothing that objects inherit from JavaScript', () => {
    class User {
      readonly first = 'Ada';
      get short(): string {
        return this.first[0]!;
      }
      full(): string {
        return 'never called';
      }
    }
    const user = new User();
    expect(cacheKey('#{user.first}:#{user.short}:#{user.full?}:#{user.toString?}', { user })).toBe(
      'Ada:A:~undefined:~undefined',
    );
    expect(errorOf(() => cacheKey('x:#{user.constructor.name}', { user }))).toMatchObject({
      code: 'E_TURBOCACHE_DECORATOR',
      option: 'template',
    });
    expect(errorOf(() => cacheKey('x:#{user.__proto__}', { user })).code).toBe('E_TURBOCACHE_DECORATOR');
  });

  it('says what is missing', () => {
    expect(errorOf(() => cacheKey('user:#{id}', {}))).toMatchObject({
      code: 'E_TURBOCACHE_DECORATOR',
      expected: 'a value, or "#{id?}" if it may be missing',
    });
  });
});

function cycle(): unknown {
  const object: Record<string, unknown> = {};
  object['self'] = { object };
  return object;
}

/** Equal as arguments: `-0` is `0`. */
function sameValues(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => sameValues(item, b[i]));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b || Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameValues(left[name], right[name]))
  );
}
