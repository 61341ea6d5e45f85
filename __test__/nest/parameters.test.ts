import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parametersOf } from '../../nest-module/key/parameters';

type AnyFunction = (...args: any[]) => unknown;

/** The method of an object literal or class whose source is kept exactly as it is written. */
function method(source: string): AnyFunction {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the source must reach the engine as it is written
  const holder = new Function(`return { ${source} }`)() as Record<string, AnyFunction>;
  return holder[Reflect.ownKeys(holder)[0] as string]!;
}

const namesOf = (source: string): string[] => parametersOf(method(source))!.names.map(({ name }) => name);

describe('parameter names', () => {
  it.each<[string, string[]]>([
    ['find() {}', []],
    ['find(id) {}', ['id']],
    ['async find(id, lang) {}', ['id', 'lang']],
    ['*find(id) {}', ['id']],
    ['async *find(id) {}', ['id']],
    ['"quoted (a)"(id) {}', ['id']],
    ['["com" + "(puted)"](id) {}', ['id']],
    ['find: function (id) {}', ['id']],
    ['find: async function named(id) {}', ['id']],
    ['find: (id) => id', ['id']],
    ['find: id => id', ['id']],
    ['find: async id => id', ['id']],
    ['find: async (id, b) => id', ['id', 'b']],
    ['find(/* first, */ id, // second ) \n lang) {}', ['id', 'lang']],
    ['find($id, _lang, ñandú, 変数) {}', ['$id', '_lang', 'ñandú', '変数']],
    ['find(id, ) {}', ['id']],
    ['find(...ids) {}', ['ids']],
    ['find(a, ...[b, c]) {}', ['a']],
    ['async(id) {}', ['id']],
    ['get(id) {}', ['id']],
  ])('%s', (source, names) => {
    expect(namesOf(source)).toEqual(names);
  });

  it.each([
    "'),('",
    '"),("',
    '`),(${[1, ")", `,${2}`]},`',
    '/[,)/]\\/\\(/g',
    '4 / 2 / 1',
    '(1, 2)',
    '[1, 2][0] / 2',
    '{ a: 1, b: [")"] }',
    '(x, y) => ({ x, y })',
    'function (x, y) { return "}" + /}/.source; }',
    'typeof /a,b/',
    'class { m(a, b) {} }',
    '/* , */ 1 // , )\n',
    "'\\'), '",
    '.5e3',
    'a',
    'a < 2 ? 1 : 2',
  ])('steps over the default value %s', (value) => {
    const parameters = parametersOf(method(`find(a, b = ${value}, c) {}`))!;
    expect(parameters.names.map(({ name, hasDefault }) => [name, hasDefault])).toEqual([
      ['a', false],
      ['b', true],
      ['c', false],
    ]);
    expect(parameters.count).toBe(3);
  });

  it('follows destructured parameters to every name in them', () => {
    const source = `find({ id, "na-me": name, address: { city = "x, y", geo: [lat, , { z }] } = {}, [dynamic]: hidden, 0: zero, ...others }, [first, ...more] = [])`;
    const names = parametersOf(method(`${source} {}`))!.names;
    expect(names).toEqual([
      { name: 'id', index: 0, path: ['id'], hasDefault: false },
      { name: 'name', index: 0, path: ['na-me'], hasDefault: false },
      { name: 'city', index: 0, path: ['address', 'city'], hasDefault: true },
      { name: 'lat', index: 0, path: ['address', 'geo', '0'], hasDefault: true },
      { name: 'z', index: 0, path: ['address', 'geo', '2', 'z'], hasDefault: true },
      { name: 'zero', index: 0, path: ['0'], hasDefault: false },
      { name: 'others', index: 0, path: [], hasDefault: false, rest: { without: ['id', 'na-me', 'address', '0'] } },
      { name: 'first', index: 1, path: ['0'], hasDefault: true },
      { name: 'more', index: 1, path: [], hasDefault: true, rest: { from: 1 } },
    ]);
  });

  it('are unknown for functions that do not show their source', () => {
    expect(parametersOf(method('find(id) {}').bind(null))).toBeUndefined();
    expect(parametersOf(Math.max)).toBeUndefined();
  });

  it('are read from any parameter list', () => {
    const { list } = fc.letrec<{ binding: Written; list: Written }>((tie) => ({
      binding: fc.oneof({ maxDepth: 3 }, leaf, objectPattern(tie('binding')), arrayPattern(tie('binding'))),
      list: fc
        .array(fc.tuple(tie('binding'), fc.option(defaultValue)), { maxLength: 4 })
        .map((items) => join(items.map(([binding, value]) => withDefault(binding, value)))),
    }));
    fc.assert(
      fc.property(list, (written) => {
        const { source, names } = numbered(written);
        expect(namesOf(`async find(${source}) { return "(x) => y"; }`)).toEqual(names);
      }),
    );
  });
});

/** Source in which `@` stands for a name that is not chosen yet. */
type Written = string;

const defaultValue = fc.constantFrom('1', '"a,)"', '{ x: [1, 2] }', '`${")"},`', '/[)/,]/u', '(p, q) => p / q', 'null');
const gap = fc.constantFrom('', ' ', '\n', '/* , ) */', ' // } ]\n');
const leaf: fc.Arbitrary<Written> = gap.map((space) => `${space}@${space}`);

const withDefault = (binding: Written, value: string | null): Written =>
  binding + (value === null ? '' : ` = ${value}`);
const join = (parts: Written[]): Written => parts.join(',');

function objectPattern(binding: fc.Arbitrary<Written>): fc.Arbitrary<Written> {
  const field = fc.tuple(fc.constantFrom('key', '"str, }"', '7'), binding, fc.option(defaultValue));
  return fc
    .array(field, { maxLength: 3 })
    .map((fields) => `{${join(fields.map(([key, inner, value]) => `${key}: ${withDefault(inner, value)}`))}}`);
}

function arrayPattern(binding: fc.Arbitrary<Written>): fc.Arbitrary<Written> {
  return fc.array(fc.option(binding), { maxLength: 3 }).map((items) => `[${join(items.map((item) => item ?? ''))}]`);
}

function numbered(written: Written): { source: string; names: string[] } {
  const names: string[] = [];
  const source = written.replace(/@/g, () => {
    names.push(`name${names.length}`);
    return names.at(-1)!;
  });
  return { source, names };
}
