/** The arrows of the two TypeScript parts, as ARCHITECTURE.md draws them. */
import path from 'node:path';
import ts from 'typescript';
import { circles } from './graph';
import type { Source } from './source';

interface Part {
  readonly folder: string;
  /** What it may import from outside its folder. */
  readonly allowed: readonly RegExp[];
}

const CLIENT: Part = {
  folder: 'node/client/',
  // Node itself and the published types. No package: the core has no runtime dependency.
  allowed: [/^node:/, /^index$/],
};
const NEST: Part = {
  folder: 'nest-module/',
  // The public client by its entry only, and Nest with what Nest itself needs.
  allowed: [
    /^node:/,
    /^turbocache-js$/,
    /^node\/client\/index$/,
    /^@nestjs\/(?:common|core)(?:\/|$)/,
    /^rxjs(?:\/|$)/,
    /^reflect-metadata$/,
  ],
};

/** Everything wrong with the imports of `node/client` and `nest-module`. */
export function typescriptViolations(sources: readonly Source[]): string[] {
  const files = new Set(sources.map(({ file }) => withoutExtension(file)));
  const uses = new Map<string, Set<string>>();
  const wrong: string[] = [];

  for (const { file, text } of sources) {
    const part = [CLIENT, NEST].find(({ folder }) => file.startsWith(folder));
    if (part === undefined) continue;
    for (const specifier of specifiersOf(text)) {
      const target = resolve(file, specifier, files);
      if (target.startsWith(part.folder)) {
        const from = withoutExtension(file);
        uses.set(from, (uses.get(from) ?? new Set()).add(target));
      } else if (!part.allowed.some((pattern) => pattern.test(target))) {
        wrong.push(`${file}: may not import '${specifier}'`);
      }
    }
    if (importsValueOfPublicTypes(text)) wrong.push(`${file}: '../../index' holds types only; use \`import type\``);
  }
  return [...wrong, ...circles(uses).map((circle) => `${circle} is a circle`)];
}

/** Imports of every form: static, re-export, dynamic, `require`, and `import('…')` types. */
function specifiersOf(text: string): string[] {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  return importedFiles.map(({ fileName }) => fileName);
}

/** A path from the repository's root without extension, or the name of a package. */
function resolve(file: string, specifier: string, files: ReadonlySet<string>): string {
  if (!specifier.startsWith('.')) return specifier;
  const target = withoutExtension(path.posix.join(path.posix.dirname(file), specifier));
  return files.has(`${target}/index`) ? `${target}/index` : target;
}

const importsValueOfPublicTypes = (text: string): boolean =>
  /^(?:import|export)\s+(?!type\b)[^;]*?from '(?:\.\.\/)+index(?:\.js)?'/m.test(text) && !/node\/client/.test(text);

const withoutExtension = (file: string): string => file.replace(/\.(?:[mc]?[jt]s)$/, '');
