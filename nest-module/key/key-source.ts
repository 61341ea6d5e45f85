/** Everything a `key` option may be, compiled to one function from a call to a key. */
import type { IKeyGenerator } from '../client';
import { decoratorError, type Site } from '../decorators/site';
import type { CallContext, MethodCall, ResultContext } from '../method/call';
import { canonical, NotPrintable } from './canonical';
import { compileTemplate, namesClass, type TextOf } from './compile-template';
import { follow } from './path';
import type { QuickKey } from './quick-key';

/** A template, a function, or a generator. */
export type KeySource<Context extends CallContext = CallContext> =
  string | ((context: Context) => string) | IKeyGenerator;

/** An argument, or a path in one, that `@TurboCacheKey` marked. */
export interface KeyPart {
  readonly index: number;
  readonly path: readonly string[];
}

export interface CompiledKey {
  readonly of: TextOf;
  readonly quick?: QuickKey | undefined;
  /** Two classes of one name would share their keys: checked when the application starts. */
  readonly namesClass: boolean;
}

export function compileKey(source: KeySource<ResultContext>, site: Site, option = 'key'): CompiledKey {
  if (typeof source === 'string') {
    return { ...compileTemplate(source, site, option), namesClass: namesClass(source) };
  }
  if (typeof source === 'function') {
    return { of: checked((call) => source(call as MethodCall & ResultContext), site, option), namesClass: false };
  }
  if (isGenerator(source)) return { of: checked((call) => source.generate(call), site, option), namesClass: false };
  throw decoratorError(site, 'not a key', {
    option,
    got: source,
    expected: 'a template such as "user:#{id}", a function, or an object with generate(context)',
  });
}

/** Without a key: class, method and all arguments, or those that were marked. */
export function defaultKey(site: Site, parts: readonly KeyPart[] | undefined): CompiledKey {
  const valuesOf =
    parts === undefined
      ? (call: MethodCall) => call.args
      : (call: MethodCall) => parts.map(({ index, path }) => follow(call.args[index], path));
  return { of: (call) => `${ownerOf(call, site)}(${printAll(valuesOf(call), call, site)})`, namesClass: true };
}

/** A method that overrides a cached one and calls it must not ask for the key it is computing. */
function ownerOf({ className, methodName }: MethodCall, site: Site): string {
  if (className === site.className && className !== '') return `${className}.${methodName}`;
  if (className !== '') return `${className}:${site.className}.${methodName}`;
  throw decoratorError(site, 'the class has no name', { option: 'key', expected: 'a `key`, or a named class' });
}

function printAll(values: readonly unknown[], call: MethodCall, site: Site): string {
  try {
    return canonical(values).slice(1, -1);
  } catch (cause) {
    if (!(cause instanceof NotPrintable)) throw cause;
    throw decoratorError({ ...site, className: call.className }, `the arguments hold ${cause.message}`, {
      option: 'key',
      expected: 'arguments that are data, a `key`, or @TurboCacheKey() on the parameters that count',
      cause,
    });
  }
}

/** User code may answer anything: an empty key, or none, would put all calls into one entry. */
function checked(keyOf: (call: MethodCall) => unknown, site: Site, option: string): TextOf {
  return (call) => {
    const key = keyOf(call);
    if (typeof key === 'string' && key !== '') return key;
    throw decoratorError({ ...site, className: call.className }, 'the key came out as nothing', {
      option,
      got: key,
      expected: 'a string with at least one character',
    });
  };
}

function isGenerator(source: unknown): source is IKeyGenerator {
  return typeof source === 'object' && source !== null && 'generate' in source && typeof source.generate === 'function';
}
