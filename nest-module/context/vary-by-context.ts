/** The `varyBy` option of decorators: names of context values that are part of the key. */
import { decoratorError } from '../decorators/site';
import { canonical } from '../key/canonical';
import type { MethodCall } from '../method/call';
import { currentContext } from './context';

/**
 * `key:~("acme","en")`. No value of a template shows a colon, so this meets no key without it. A value that is not known is
 * an error: without its tenant, an answer is for nobody.
 */
export function withContext(key: string, names: readonly string[], call: MethodCall): string {
  if (names.length === 0) return key;
  const context = currentContext();
  const values = names.map((name) => {
    const value = context?.get(name);
    if (value !== undefined && value !== null) return value;
    const { className, methodName } = call;
    const what = context === undefined ? 'there is no context' : `the context has no "${name}"`;
    throw decoratorError({ decorator: 'varyBy', className, methodName }, what, {
      option: 'varyBy',
      got: name,
      expected: 'a context with this value: TurboCacheContextModule, or TurboCacheContext.run()',
    });
  });
  return `${key}:~(${canonical(values).slice(1, -1)})`;
}
