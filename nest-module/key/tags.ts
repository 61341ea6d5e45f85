/** A `tags` option, compiled: fixed texts are known at once, templates and functions only with the call. */
import { decoratorError, type Site } from '../decorators/site';
import type { TagSource } from '../decorators/options';
import type { MethodCall, ResultContext } from '../method/call';
import { compileTemplate } from './compile-template';

export type TagsOf = (call: MethodCall) => readonly string[];

export interface CompiledTags {
  /** All tags, when none depends on the call. */
  readonly fixed: readonly string[] | undefined;
  readonly of: TagsOf;
}

export function compileTags(source: TagSource | undefined, site: Site): CompiledTags | undefined {
  if (source === undefined || (source.length === 0 && typeof source !== 'function')) return undefined;
  if (typeof source === 'function') {
    return { fixed: undefined, of: (call) => checked(source(call as MethodCall & ResultContext), site) };
  }
  if (source.every((tag) => !tag.includes('#{'))) return { fixed: source, of: () => source };
  const texts = source.map((tag) => compileTemplate(tag, site, 'tags').of);
  return { fixed: undefined, of: (call) => texts.map((textOf) => textOf(call)) };
}

function checked(tags: unknown, site: Site): readonly string[] {
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag !== '')) return tags as string[];
  throw decoratorError(site, 'the function did not answer a list of texts', {
    option: 'tags',
    got: tags,
    expected: 'string[]',
  });
}
