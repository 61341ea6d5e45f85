/** Keys by hand: the same text that a decorator makes from the same template and values. */
import { decoratorError } from '../decorators/site';
import { MethodCall } from '../method/call';
import { compileTemplate, parse, type TextOf } from './compile-template';
import { DEFAULT_HASH_KEYS_ABOVE, limitKey } from './limit';
import type { ParameterName } from './parameters';

const compiled = new Map<string, TextOf>();
/** Templates are constants of a program; whoever builds them at run time must not fill the memory with them. */
const MAX_COMPILED = 1_000;

/**
 * `cacheKey('user:#{id}', { id: 42 })` is `'user:42'`: for code that reads or drops what a decorator has stored.
 *
 * @param hashAbove The module's `hashKeysAbove`, if it is not the default.
 */
export function cacheKey(
  template: string,
  values: Readonly<Record<string, unknown>> = {},
  hashAbove = DEFAULT_HASH_KEYS_ABOVE,
): string {
  const textOf = compiled.get(template) ?? compile(template);
  return limitKey(textOf(new MethodCall(values, '', [values])), hashAbove);
}

function compile(template: unknown): TextOf {
  if (typeof template !== 'string') throw notATemplate(template);
  const site = { decorator: 'cacheKey()', className: 'template', methodName: template, phase: 'before' } as const;
  const { slots } = parse(template, site, 'template');
  // Whatever names the template uses are fields of `values`, except those of the context.
  const names = [...new Set(slots.map(({ root }) => root))].filter((name) => name !== 'context').map(fieldOfValues);
  const { of: textOf } = compileTemplate(template, { ...site, parameters: { names, count: 1 } }, 'template');
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(template, textOf);
  return textOf;
}

function fieldOfValues(name: string): ParameterName {
  return { name, index: 0, path: [name], hasDefault: false };
}

function notATemplate(got: unknown): Error {
  const place = { decorator: 'cacheKey()', className: 'template', methodName: typeof got };
  return decoratorError(place, 'not a template', { option: 'template', got, expected: 'a text such as "user:#{id}"' });
}
