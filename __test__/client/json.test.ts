/** What the package decodes is what `JSON.parse` makes of the same bytes, whatever it has learned before. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Letters } from '../../node/client/codec';
import { JsonDecoder } from '../../node/client/json-decoder';
import { JsonScanner } from '../../node/client/json-scanner';
import { shapeDecoder } from '../../node/client/json-shape';
import { textBuffer } from '../../node/client/text';

const BEFORE = '{"neighbour":"';
const BEHIND = '"0123,true]}"';

type Result = { readonly value: unknown } | 'no JSON';

function attempt(decode: () => unknown): Result {
  try {
    return { value: decode() };
  } catch {
    return 'no JSON';
  }
}

function lettersOf(json: Uint8Array): Letters {
  if (!json.every((byte) => byte < 128)) return Letters.Any;
  return json.every((byte) => byte >= 0x20 && byte !== 0x5c) ? Letters.Plain : Letters.Ascii;
}

/** Decodes in the middle of a buffer that goes on with other bytes. */
function decoded(decoder: JsonDecoder, json: Uint8Array): Result {
  const bytes = Buffer.concat([Buffer.from(BEFORE), json, Buffer.from(BEHIND)]);
  const copy = textBuffer(new Uint8Array(bytes).buffer);
  return attempt(() => decoder.decode(copy, BEFORE.length, BEFORE.length + json.length, lettersOf(json)));
}

/** Decodes what this isolate has written itself. */
function decodedText(decoder: JsonDecoder, text: string): Result {
  return attempt(() => decoder.decodeText(text));
}

function parsed(json: Uint8Array): Result {
  return attempt(() => JSON.parse(Buffer.from(json).toString()));
}

/** A decoder that knows this value's shape. */
function learned(value: unknown): JsonDecoder {
  const decoder = new JsonDecoder();
  const json = Buffer.from(JSON.stringify(value));
  for (let time = 0; time < 64; time++) decoded(decoder, json);
  return decoder;
}

/** Whether a text is decoded by the shape that was learned of a value. */
function hasShapeOf(value: unknown, text: string): boolean {
  const bytes = textBuffer(new Uint8Array(Buffer.from(text)).buffer);
  const scanner = new JsonScanner();
  scanner.begin(bytes, 0, bytes.length, bytes.latin1Slice(0, bytes.length), lettersOf(bytes) === Letters.Plain);
  return shapeDecoder(value)?.(scanner, bytes, 0, bytes.length) !== undefined;
}

const user = {
  id: 1,
  name: 'Ada',
  roles: ['reader'],
  address: { zip: '12345', at: [52.5, -13.25] },
  orders: [{ sku: 'a', cents: 5, gifts: [] }],
  isActive: true,
  parent: null,
};

describe('values of a shape that was learned', () => {
  it.each([
    ['the same one', user],
    ['other values', { ...user, id: -7, name: 'Grace Hopper, Rear Admiral', isActive: false }],
    ['another kind of primitive', { ...user, id: 'seven', name: null, isActive: 1.5, parent: 'Ada' }],
    ['no items', { ...user, roles: [], orders: [] }],
    ['many items', { ...user, roles: Array(50).fill('a role'), orders: Array(9).fill(user.orders[0]) }],
    ['umlauts', { ...user, name: 'Zoë Müller', roles: ['\u{1f600}', 'ascii'] }],
    ['escapes', { ...user, name: 'says "hi"\\\n', roles: ['\\', '"', '\u0007', '\ud800'] }],
    ['names of code', { ...user, name: '`${process.exit()}`', roles: ['");process.exit();("'] }],
  ])('are decoded with it: %s', (_, value) => {
    const text = JSON.stringify(value);
    expect(hasShapeOf(user, text)).toBe(true);
    expect(decoded(learned(user), Buffer.from(text))).toStrictEqual({ value: JSON.parse(text) });
    expect(decodedText(learned(user), text)).toStrictEqual({ value: JSON.parse(text) });
  });

  it.each([
    ['a name more', { ...user, more: 1 }],
    ['a name less', { id: 1, name: 'Ada' }],
    ['another order of names', Object.fromEntries(Object.entries(user).reverse())],
    ['an object instead of a primitive', { ...user, id: { of: 1 } }],
    ['a primitive instead of an object', { ...user, address: 'none' }],
    ['an object among primitives', { ...user, roles: ['reader', {}] }],
    ['a primitive among objects', { ...user, orders: [null] }],
    ['another name of the same length', JSON.parse(JSON.stringify(user).replace('zip', 'zap'))],
  ])('are not needed: %s', (_, value) => {
    const text = JSON.stringify(value);
    expect(hasShapeOf(user, text)).toBe(false);
    expect(decoded(learned(user), Buffer.from(text))).toStrictEqual({ value: JSON.parse(text) });
  });

  it.each([
    '0',
    '-0',
    '1',
    '-1',
    '123456789012345',
    '1234567890123456',
    '9007199254740993',
    '0.1',
    '-0.75',
    '0.30000000000000004',
    '1.7976931348623157e308',
    '1e400',
    '5e-324',
    '1E2',
    '1e+2',
    '123456789.123456',
    '100000000000000.5',
    '1.10',
    '0.000001',
  ])('have the number %s as JSON.parse reads it', (number) => {
    const text = `{"a":${number}}`;
    expect(hasShapeOf({ a: 1 }, text)).toBe(true);
    expect(decoded(learned({ a: 1 }), Buffer.from(text))).toStrictEqual({ value: JSON.parse(text) });
    expect(decodedText(learned({ a: 1 }), text)).toStrictEqual({ value: JSON.parse(text) });
  });

  it.each([
    '01',
    '-',
    '+1',
    '1.',
    '.5',
    '1e',
    '1e+',
    '0x1',
    '--1',
    '1.2.3',
    '1-2',
    'tru',
    'truE',
    'nul',
    'NaN',
    '"a',
    '"\\x"',
    '"\n"',
    '',
    ' ',
  ])('are refused as JSON.parse refuses them: %j', (wrong) => {
    expect(decoded(learned({ a: 1 }), Buffer.from(`{"a":${wrong}}`))).toBe('no JSON');
  });

  it('keep a name that is special in code a name', () => {
    const text = '{"__proto__":{"isAdmin":true},"constructor":1,"a\\"]:process.exit()":2}';
    const { value } = decoded(learned(JSON.parse(text)), Buffer.from(text)) as { value: object };
    expect(value).toStrictEqual(JSON.parse(text));
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'a"]:process.exit()']);
  });
});

describe('any bytes', () => {
  it('are decoded as JSON.parse decodes them, after any lesson', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(json, fc.array(json, { maxLength: 5 }), (lesson, values) => {
        const decoder = learned(lesson);
        for (const value of [lesson, ...values]) {
          const bytes = Buffer.from(JSON.stringify(value));
          expect(decoded(decoder, bytes)).toStrictEqual(parsed(bytes));
          expect(decodedText(decoder, bytes.toString())).toStrictEqual(parsed(bytes));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('that were damaged somewhere are refused, or decoded as JSON.parse decodes them', () => {
    const text = Buffer.from(JSON.stringify({ ...user, name: 'Zoë "Z" Müller', score: -0.75 }));
    const decoder = learned({ ...user, score: 1 });
    const damages = fc.array(fc.tuple(fc.nat(text.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(damages, fc.nat(text.length), (damage, length) => {
        const bytes = Buffer.from(text);
        for (const [index, byte] of damage) bytes[index] = byte;
        for (const one of [bytes, bytes.subarray(0, length)]) {
          expect(decoded(decoder, one)).toStrictEqual(parsed(one));
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('shapes', () => {
  it('are learned of several kinds of values in one namespace, and forgotten when they do not come any more', () => {
    const decoder = new JsonDecoder();
    const kinds = Array.from({ length: 9 }, (_, kind) => ({ [`kind${kind}`]: kind, list: [{ kind }] }));
    for (const value of [...kinds, ...kinds.reverse()]) {
      const bytes = Buffer.from(JSON.stringify(value));
      for (let time = 0; time < 700; time++) expect(decoded(decoder, bytes)).toStrictEqual({ value });
    }
  });

  it('that are too large, too deep or no objects have no decoder', () => {
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`name${index}`, index]));
    const deep = JSON.parse('{"a":'.repeat(20) + '1' + '}'.repeat(20));
    for (const value of [wide, deep, { ['n'.repeat(5_000)]: 1 }, 'text', 1, null])
      expect(shapeDecoder(value)).toBeUndefined();
  });

  it('are left to JSON.parse where Node must not make code of strings', async () => {
    const program = `
      const { CacheManager } = require(process.argv[1]);
      const manager = new CacheManager({ hot: false });
      const values = Array.from({ length: 300 }, (_, id) => ({ id, name: 'user ' + id }));
      manager
        .setMany(values.map((value) => ({ key: value.name, value })))
        .then(() => console.log(JSON.stringify(values.map(({ name }) => manager.peek(name)))))
        .then(() => manager.close());`;
    const entry = createRequire(import.meta.url).resolve('turbocache-js');
    const flag = '--disallow-code-generation-from-strings';
    const { stdout } = await promisify(execFile)(process.execPath, [flag, '-e', program, entry]);
    const expected = Array.from({ length: 300 }, (_, id) => ({ id, name: `user ${id}` }));
    expect(JSON.parse(stdout)).toEqual(expected);
  });
});
