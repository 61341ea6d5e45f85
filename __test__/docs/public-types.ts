/** What index.d.ts says about options and error codes, read by the TypeScript compiler. */
import path from 'node:path';
import ts from 'typescript';
import { root, textOf } from './pages';

const source = ts.createSourceFile(path.join(root, 'index.d.ts'), textOf('index.d.ts'), ts.ScriptTarget.Latest, true);

export interface PublicOption {
  readonly name: string;
  /** The text behind `@default`. */
  readonly default: string | undefined;
}

/** Interfaces of options, with what stands before their names in `CacheManagerOptions`. */
const OPTIONS = {
  FreshnessOptions: '',
  CacheManagerOptions: '',
  MemoryOptions: 'memory.',
  HotOptions: 'hot.',
  RedisOptions: 'redis.',
  SentinelOptions: 'redis.sentinel.',
  CompressionOptions: 'compression.',
  BulkheadOptions: 'bulkhead.',
};

export function publicOptions(): PublicOption[] {
  return Object.entries(OPTIONS).flatMap(([name, prefix]) =>
    find(name, ts.isInterfaceDeclaration).members.map((member) => ({
      name: prefix + (member.name?.getText(source) ?? ''),
      default: defaultTag(member),
    })),
  );
}

export function errorCodes(): string[] {
  const { type } = find('TurboCacheErrorCode', ts.isTypeAliasDeclaration);
  if (!ts.isUnionTypeNode(type)) throw new Error('TurboCacheErrorCode is no union');
  return type.types.map((member) => member.getText(source).slice(1, -1));
}

function defaultTag(node: ts.Node): string | undefined {
  const tag = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === 'default');
  return tag === undefined ? undefined : ts.getTextOfJSDocComment(tag.comment)?.trim();
}

function find<T extends ts.Statement & { readonly name: ts.Identifier }>(
  name: string,
  is: (node: ts.Node) => node is T,
): T {
  const found = source.statements.find((each): each is T & ts.Statement => is(each) && each.name.text === name);
  if (found === undefined) throw new Error(`index.d.ts declares no ${name}`);
  return found;
}
