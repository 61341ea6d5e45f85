/** docs/guarantees.md names the tests that keep each promise. They exist, are tests, and run. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cases } from '../../benches/litmus/index.mjs';
import { isLiveRustTest, isLiveTypeScriptTest } from './live-tests';
import { root, textOf } from './pages';

const LAWS = 12;
const sections = textOf('docs/guarantees.md').split(/^## (?=\d+\. )/m);
const laws = sections.slice(1).map((section) => {
  const kept = section.slice(section.indexOf('Kept by:'));
  const tests = [...kept.matchAll(/^- `([^`]+)`: `([^`]+)`$/gm)].map(([, file = '', name = '']) => ({ file, name }));
  return { law: section.split('\n')[0] ?? '', tests };
});

/** In Rust a function of this name; in TypeScript a title that holds this text; in the litmus suite a case of this name. */
function isTest({ file, name }: { file: string; name: string }): boolean {
  if (!existsSync(path.join(root, file))) return false;
  if (file.startsWith('benches/litmus/cases/')) return cases.some((litmus) => litmus.name === name);
  return file.endsWith('.rs') ? isLiveRustTest(textOf(file), name) : isLiveTypeScriptTest(textOf(file), name);
}

it('each law is there, in its order', () => {
  expect(laws.map(({ law }) => Number.parseInt(law, 10))).toEqual(
    Array.from({ length: LAWS }, (_, index) => index + 1),
  );
});

it.each(laws)('$law names tests that run', ({ tests }) => {
  expect(tests.length).toBeGreaterThan(0);
  expect(tests.filter((test) => !isTest(test))).toEqual([]);
});

it('a name that is gone would be noticed', () => {
  expect(isTest({ file: 'tests/engine/invalidation.rs', name: 'no_such_test' })).toBe(false);
  expect(isTest({ file: 'tests/engine/no_such_file.rs', name: 'x' })).toBe(false);
  expect(isTest({ file: 'benches/litmus/cases/clocks.mjs', name: 'clock/one-day-forward' })).toBe(false);
});

describe('a Rust test', () => {
  it.each([
    ['#[test]\nfn rule() {}', true],
    ['    #[tokio::test(start_paused = true)]\n    /// Why.\n    async fn rule() {}', true],
    ['fn rule() {}', false],
    ['#[test]\nfn other() {}\n\nfn rule() {}', false],
    ['#[test]\n#[ignore = "slow"]\nfn rule() {}', false],
    ['#[ignore]\n#[test]\nfn rule() {}', false],
    ['// #[test]\n// fn rule() {}', false],
  ])('%j: %j', (text, isLive) => {
    expect(isLiveRustTest(text, 'rule')).toBe(isLive);
  });
});

describe('a TypeScript test', () => {
  it.each([
    ["it('keeps the rule', () => {});", true],
    ["test('keeps the rule', () => {});", true],
    ["it.each([\n  [1],\n])('keeps the rule (%i)', () => {});", true],
    ["describe('a cache', () => { it('keeps the rule', () => {}); });", true],
    ["describe('it keeps', () => { it.each(rows)('the rule', () => {}); });", true],
    ["it.skip('keeps the rule', () => {});", false],
    ["it.skip.each(rows)('keeps the rule', () => {});", false],
    ["it.todo('keeps the rule');", false],
    ["describe.skip('a cache', () => { it('keeps the rule', () => {}); });", false],
    ["describe('keeps the rule', () => {});", false],
    ["it('does something', () => expect('keeps the rule').toBe(''));", false],
    ["// it('keeps the rule', () => {});", false],
    ["const title = 'keeps the rule';", false],
  ])('%j: %j', (text, isLive) => {
    expect(isLiveTypeScriptTest(text, 'keeps the rule')).toBe(isLive);
  });
});
