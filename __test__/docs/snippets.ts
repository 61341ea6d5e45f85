/**
 * Type-checks code blocks as a user's compiler would: each is a module of its own that imports the package by its name. What
 * pages take for granted is declared in `context.d.ts`.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { root } from './pages';

const CONTEXT = `
declare const cache: import('turbocache-js').CacheManager;
/** Stands for a database. */
declare const db: {
  query<T = Record<string, unknown>>(sql: string, parameters?: unknown[]): Promise<T[]>;
  one<T>(sql: string, parameters?: unknown[]): Promise<T>;
};
/** Stands for a client that Prisma has generated. */
interface PrismaTx {
  $queryRawUnsafe<T = unknown>(sql: string, ...parameters: any[]): Promise<T>;
  $executeRawUnsafe(sql: string, ...parameters: any[]): Promise<number>;
}
declare class PrismaService implements PrismaTx {
  $queryRawUnsafe<T = unknown>(sql: string, ...parameters: any[]): Promise<T>;
  $executeRawUnsafe(sql: string, ...parameters: any[]): Promise<number>;
  $transaction<T>(work: (tx: PrismaTx) => Promise<T>): Promise<T>;
}
`;

/** Libraries that pages speak of, and the root does not have. */
const LIBRARIES = path.join(root, '__test__/integrations/node_modules');

/** A user's compiler options: strict, with the decorators of NestJS. */
const COMPILER: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.Node20,
  moduleResolution: ts.ModuleResolutionKind.Node16,
  types: ['node'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
};

export interface Snippet {
  readonly place: string;
  readonly code: string;
}

export interface Compiled {
  /** One text for each error, with the place in the page. */
  readonly errors: readonly string[];
  /** The JavaScript file of each snippet, in their order. */
  readonly files: readonly string[];
}

/** `folder` is a name below `target/`: inside the repository, so that the package resolves itself by its name. */
export function compile(folder: string, snippets: readonly Snippet[]): Compiled {
  const to = path.join(root, 'target', folder);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  symlinkSync(LIBRARIES, path.join(to, 'node_modules'));
  const context = path.join(to, 'context.d.ts');
  writeFileSync(context, CONTEXT);
  const sources = snippets.map(({ place, code }) => {
    const file = path.join(to, `${place.replace(/[^\w.]+/g, '-')}.mts`);
    // A module, also without an import: then it may await at its top.
    writeFileSync(file, `${code}\nexport {};\n`);
    return file;
  });
  const program = ts.createProgram([context, ...sources], COMPILER);
  program.emit();
  const errors = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    const snippet = snippets[sources.indexOf(path.normalize(file?.fileName ?? ''))];
    if (file === undefined || snippet === undefined) return `${file?.fileName ?? ''}: ${text}`;
    const [page = '', fence = ''] = snippet.place.split(':');
    const line = Number(fence) + 1 + file.getLineAndCharacterOfPosition(start ?? 0).line;
    return `${page}:${line}: ${text}`;
  });
  return { errors, files: sources.map((file) => file.replace(/\.mts$/, '.mjs')) };
}
