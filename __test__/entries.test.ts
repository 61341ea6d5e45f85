import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

// Hand-written faces of one package. None may drift, and none may bring a second instance.

const require = createRequire(import.meta.url);
const file = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

const FACES = [
  { entry: 'turbocache-js', cjs: 'index.js', esm: 'index.mjs', types: ['index.d.ts', 'index.d.mts'] },
  {
    entry: 'turbocache-js/nest',
    cjs: 'dist/nest-module/index.js',
    esm: 'nest.mjs',
    types: ['dist/nest-module/index.d.ts', 'nest.d.mts'],
  },
  ...['events', 'graphql', 'health', 'transactions', 'warming'].map((name) => ({
    entry: `turbocache-js/${name}`,
    cjs: `dist/nest-module/${name}/index.js`,
    esm: `esm/${name}.mjs`,
    types: [`dist/nest-module/${name}/index.d.ts`, `esm/${name}.d.mts`],
  })),
];

// One program for all declarations: the compiler reads Node's and Nest's types once.
const program = ts.createProgram(
  FACES.flatMap(({ types }) => types.map(file)),
  { module: ts.ModuleKind.Node20, skipLibCheck: true, noEmit: true },
);

describe.each(FACES)('$entry', ({ entry, cjs, esm, types }) => {
  const required = require(file(cjs)) as Record<string, unknown>;

  it('exports the same values to require and to import', async () => {
    const imported = (await import(/* @vite-ignore */ file(esm))) as Record<string, unknown>;
    expect(valuesOf(imported)).toEqual(valuesOf(required));
    for (const name of valuesOf(required)) expect(imported[name], name).toBe(required[name]);
  });

  it('is found by its name from both module systems', async () => {
    const imported = (await import(/* @vite-ignore */ entry)) as Record<string, unknown>;
    expect(valuesOf(imported)).toEqual(valuesOf(required));
    expect(require(entry)).toBe(required);
  });

  it.each(types)('has exactly the values that %s declares', (declarations) => {
    expect(declaredValues(file(declarations))).toEqual(valuesOf(required));
  });
});

it('are all that package.json names', () => {
  const { exports } = JSON.parse(readFileSync(file('package.json'), 'utf8')) as { exports: object };
  const faces = readdirSync(file('esm')).filter((name) => name.endsWith('.mjs'));
  expect(Object.keys(exports).sort()).toEqual(
    ['.', './nest', './package.json', ...faces.map((name) => `./${path.basename(name, '.mjs')}`)].sort(),
  );
});

it('are found by compilers that do not read `exports`, too', () => {
  const { typesVersions } = JSON.parse(readFileSync(file('package.json'), 'utf8')) as {
    typesVersions: { '*': Record<string, string[]> };
  };
  const subpaths = FACES.slice(1).map(({ entry, types: [declarations] }) => [
    entry.slice('turbocache-js/'.length),
    [`./${declarations}`],
  ]);
  expect(typesVersions['*']).toEqual(Object.fromEntries(subpaths));
});

const valuesOf = (module: Record<string, unknown>): string[] =>
  Object.keys(module)
    .filter((name) => name !== 'default' && name !== '__esModule' && name !== 'module.exports')
    .sort();

function declaredValues(declarations: string): string[] {
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(declarations)!)!;
  const isValue = (exported: ts.Symbol): boolean => {
    // A class whose type alone is exported is no value.
    if (exported.declarations?.some(ts.isTypeOnlyExportDeclaration) === true) return false;
    const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    return (target.flags & ts.SymbolFlags.Value) !== 0;
  };
  return checker
    .getExportsOfModule(symbol)
    .filter(isValue)
    .map(({ name }) => name)
    .sort();
}
