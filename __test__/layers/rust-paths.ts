/** Finds the paths into the own crate that a Rust file names, in `use` and anywhere else. A reader, not a compiler. */
import type { Source } from './source';

export interface RustPath {
  /** From the crate's root: `['tier', 'memory']`. `'*'` is a glob. */
  readonly segments: readonly string[];
  /** Inside `mod tests { … }`. */
  readonly inTests: boolean;
}

export function cratePaths({ file, text }: Source): RustPath[] {
  const code = withoutCommentsAndStrings(text);
  const home = modulePath(file);
  const paths: RustPath[] = [];
  for (const match of code.matchAll(/(?<![\w:$])(?:crate|super|self)(?:\s*::\s*super)*\s*::\s*(?=[\w{*])/g)) {
    const inline = inlineModules(code, match.index);
    const words = match[0].split('::').map((word) => word.trim());
    const ups = words.filter((word) => word === 'super').length;
    const base = words[0] === 'crate' ? [] : [...home, ...inline].slice(0, home.length + inline.length - ups);
    for (const tail of expand(code, match.index + match[0].length)) {
      paths.push({ segments: [...base, ...tail], inTests: inline.includes('tests') });
    }
  }
  return paths;
}

/** Comments, strings and characters become spaces, so that prose names nothing. */
export function withoutCommentsAndStrings(text: string): string {
  const prose = /\/\/.*|\/\*[\s\S]*?\*\/|r(#*)"[\s\S]*?"\1|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[^']*|[^\\'\n])'/g;
  return text.replace(prose, (found) => found.replace(/[^\n]/g, ' '));
}

/** `src/tier/memory.rs` → `['tier', 'memory']`, `src/tier/mod.rs` → `['tier']`. */
function modulePath(file: string): string[] {
  const names = file
    .replace(/^src\//, '')
    .replace(/\.rs$/, '')
    .split('/');
  return names.filter((name, index) => index < names.length - 1 || !['mod', 'lib'].includes(name));
}

/** Names of the `mod name { … }` blocks around a place. */
function inlineModules(code: string, place: number): string[] {
  const open: (string | undefined)[] = [];
  for (const match of code.slice(0, place).matchAll(/\bmod\s+(\w+)\s*\{|[{}]/g)) {
    if (match[0] === '}') open.pop();
    else open.push(match[1]);
  }
  return open.filter((name) => name !== undefined);
}

/** The paths of a use tree: `a::{b, c::D}` → `[a, b]`, `[a, c, D]`. */
function expand(code: string, start: number): string[][] {
  let at = start;
  const skipSpace = (): void => {
    while (/\s/.test(code[at] ?? '')) at++;
  };
  const tree = (): string[][] => {
    skipSpace();
    if (code[at] === '{') return group();
    const word = /^(?:\w+|\*)/.exec(code.slice(at, at + 200))?.[0] ?? '';
    at += word.length;
    const more = /^\s*::\s*(?=[\w{*])/.exec(code.slice(at, at + 200));
    if (word === '' || word === '*' || more === null) return [[word]];
    at += more[0].length;
    return tree().map((tail) => [word, ...tail]);
  };
  const group = (): string[][] => {
    const paths: string[][] = [];
    at++;
    skipSpace();
    while (at < code.length && code[at] !== '}') {
      paths.push(...tree());
      while (at < code.length && code[at] !== ',' && code[at] !== '}') at++; // `as Name`
      if (code[at] === ',') at++;
      skipSpace();
    }
    at++;
    return paths;
  };
  return tree();
}
