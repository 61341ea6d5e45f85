/** The arrows of the engine, as ARCHITECTURE.md draws them. */
import { circles } from './graph';
import { cratePaths, withoutCommentsAndStrings } from './rust-paths';
import type { Source } from './source';

/** Lowest first. A module uses its own layer and those below it. */
const LAYERS: readonly (readonly string[])[] = [
  ['error', 'key', 'payload', 'entry', 'event', 'clock', 'random', 'options', 'pattern', 'sync', 'warning'], // vocabulary: plain data, no I/O
  ['codec', 'resilience', 'transport', 'runtime'], // mechanism
  ['tier', 'bus', 'lock', 'metrics'], // ports
  ['engine'],
  ['cache', 'builder'], // the public handle
];
/** Two files of one thing: `Cache::builder()` and `CacheBuilder::build()` name each other. */
const ONE_UNIT = new Map([
  ['cache', 'cache/builder'],
  ['builder', 'cache/builder'],
]);

const unitOf = (module: string): string => ONE_UNIT.get(module) ?? module;
const layerOf = (module: string): number => LAYERS.findIndex((layer) => layer.includes(module));

/** Everything wrong with the imports of `src/`; `manifest` is its Cargo.toml. */
export function rustViolations(sources: readonly Source[], manifest: string): string[] {
  const library = sources.find(({ file }) => file === 'src/lib.rs');
  const reExports = new Map(library === undefined ? [] : reExportsOf(library));
  const uses = new Map<string, Set<string>>();
  const wrong: string[] = [];

  for (const source of sources) {
    wrong.push(...foreignCrates(source), ...ownTime(source));
    const from = topModule(source.file);
    if (from === 'lib' || isTestFile(source.file)) continue;
    if (layerOf(from) < 0) wrong.push(`${source.file}: module "${from}" is in no layer (__test__/layers/rust.ts)`);

    for (const { segments, inTests } of cratePaths(source)) {
      const name = segments[0] ?? '*';
      const to = layerOf(name) >= 0 ? name : reExports.get(name);
      if (inTests || to === from) continue;
      if (to === undefined) {
        wrong.push(`${source.file}: crate::${name} is neither a module of a layer nor re-exported by lib.rs`);
      } else if (layerOf(to) > layerOf(from)) {
        wrong.push(`${source.file}: ${from} → ${to} points up`);
      } else {
        const [user, used] = [unitOf(from), unitOf(to)];
        if (user !== used) uses.set(user, (uses.get(user) ?? new Set()).add(used));
      }
    }
  }
  if (/^\s*napi/m.test(manifest)) wrong.push('Cargo.toml: the engine depends on napi');
  return [...wrong, ...circles(uses).map((circle) => `src: ${circle} is a circle`)];
}

/** Only `transport` speaks to the Redis client; only `node/binding` to napi. */
function foreignCrates({ file, text }: Source): string[] {
  const code = withoutCommentsAndStrings(text);
  const wrong: string[] = [];
  const hasOwnRedisModule = /\bmod\s+redis\s*[;{]/.test(code); // then `redis::…` is that module
  const namesRedis = /(?<![\w:])(?:::\s*)?redis\s*::/.test(code) || /\b(?:use|extern crate)\s+redis\b/.test(code);
  if (namesRedis && !hasOwnRedisModule && topModule(file) !== 'transport') {
    wrong.push(`${file}: names the redis crate; only src/transport may`);
  }
  if (/\bnapi(?:_derive)?\b/.test(code)) wrong.push(`${file}: names napi; only node/binding may`);
  return wrong;
}

/** Time and randomness come in from outside, so that a simulator can give them. */
function ownTime({ file, text }: Source): string[] {
  if (file === 'src/clock.rs' || file === 'src/random.rs' || isTestFile(file)) return [];
  const named = /\b(?:(?:Instant|SystemTime)::now|RandomState|getrandom|thread_rng)\b/.exec(
    withoutCommentsAndStrings(text),
  );
  return named === null ? [] : [`${file}: names ${named[0]}; only src/clock.rs and src/random.rs may`];
}

/** `pub use error::{Error, Result as R}` in lib.rs: from the public name to its module. */
function reExportsOf({ text }: Source): [name: string, module: string][] {
  const code = withoutCommentsAndStrings(text);
  return [...code.matchAll(/\bpub(?:\([^)]*\))?\s+use\s+(?:crate::)?(\w+)::([^;]+);/g)].flatMap(([, module, tree]) =>
    [...(tree ?? '').matchAll(/(?:\w+\s+as\s+)?(\w+)\s*(?=[,}]|$)/g)].map(([, name]): [string, string] => [
      name ?? '',
      module ?? '',
    ]),
  );
}

const topModule = (file: string): string => (file.split('/')[1] ?? '').replace(/\.rs$/, '');
const isTestFile = (file: string): boolean => /(?:^|\/)tests(?:\.rs$|\/)/.test(file);
