/** docs/guarantees.md names the tests that keep each promise. They exist, and are tests. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { root, textOf } from './pages';

const LAWS = 12;
const sections = textOf('docs/guarantees.md').split(/^## (?=\d+\. )/m);
const laws = sections.slice(1).map((section) => {
  const kept = section.slice(section.indexOf('Kept by:'));
  const tests = [...kept.matchAll(/^- `([^`]+)`: `([^`]+)`$/gm)].map(([, file = '', name = '']) => ({ file, name }));
  return { law: section.split('\n')[0] ?? '', tests };
});

/** In Rust a function of this name; in TypeScript a title that holds this text. */
function isTest({ file, name }: { file: string; name: string }): boolean {
  if (!existsSync(path.join(root, file))) return false;
  const text = textOf(file);
  if (file.endsWith('.rs')) return new RegExp(`\\bfn ${name}\\(`).test(text);
  return text.split('\n').some((line) => line.includes(name) && !line.trimStart().startsWith('//'));
}

it('each law is there, in its order', () => {
  expect(laws.map(({ law }) => Number.parseInt(law, 10))).toEqual(
    Array.from({ length: LAWS }, (_, index) => index + 1),
  );
});

it.each(laws)('$law names tests that exist', ({ tests }) => {
  expect(tests.length).toBeGreaterThan(0);
  expect(tests.filter((test) => !isTest(test))).toEqual([]);
});

it('a name that is gone would be noticed', () => {
  expect(isTest({ file: 'tests/engine/invalidation.rs', name: 'no_such_test' })).toBe(false);
  expect(isTest({ file: 'tests/engine/no_such_file.rs', name: 'x' })).toBe(false);
});
