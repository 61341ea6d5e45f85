/** `@TurboCacheKey`: says beside the method, or beside its parameters, what its key is made of. */
import type { KeyPart, KeySource } from '../key/key-source';
import { parseTemplate, TemplateProblem } from '../key/template';
import type { ResultContext } from '../method/call';
import { isStatic, methodIn, placeOf } from '../method/place';
import { isStandIn } from '../method/wrap';
import { bindByInjection } from '../registry/binding';
import { declareKey } from './declared-key';
import { decoratorError, type Place } from './site';

/** Stands on a method or on a parameter. */
export type TurboCacheKeyDecorator = (
  target: object,
  key: string | symbol | undefined,
  place?: number | PropertyDescriptor,
) => void;

/**
 * - On parameters, `find(@TurboCacheKey() id, @TurboCacheKey('address.city') user, log)`: class + method + these
 *   arguments, or paths in them, are the key; the other arguments do not count.
 * - On a method, `@TurboCacheKey('user:#{id}')`: the key, a function, or an `IKeyGenerator`, for all cache decorators
 *   of the method. They stand above it.
 */
export function TurboCacheKey(source?: KeySource<ResultContext>): TurboCacheKeyDecorator {
  return (prototype, key, where) => {
    const place = placeOf('@TurboCacheKey', prototype, key);
    if (key === undefined) {
      throw decoratorError(place, 'it stands on the constructor', { expected: 'a method or a parameter of a method' });
    }
    if (typeof where === 'number') {
      if (typeof prototype === 'function') throw isStatic(place);
      declareKey({ prototype, key }).parts.push({ index: where, path: pathOf(source, place) });
      declareKey({ prototype, key }).parts.sort(byIndex);
      bindByInjection(prototype);
      return;
    }
    if (isStandIn(methodIn(where, prototype, place))) {
      throw decoratorError(place, 'it stands above a cache decorator, which has already been applied', {
        expected: '@TurboCacheKey below the other cache decorators of the method',
      });
    }
    if (source === undefined) {
      throw decoratorError(place, 'it has no key', {
        option: 'key',
        expected: 'a template, a function or a generator',
      });
    }
    declareKey({ prototype, key }).source = source;
    // The check at start-up looks at such classes, and asks whether a cache decorator stands above the key.
    bindByInjection(prototype);
  };
}

function pathOf(source: KeySource<ResultContext> | undefined, place: Place): readonly string[] {
  if (source === undefined) return [];
  if (typeof source === 'string') {
    try {
      const slot = parseTemplate(`#{${source}}`).slots[0];
      if (slot !== undefined) return [slot.root, ...slot.path];
    } catch (error) {
      if (!(error instanceof TemplateProblem)) throw error;
      throw decoratorError(place, error.message, { option: 'path', got: source, expected: error.expected });
    }
  }
  throw decoratorError(place, 'not a path', {
    option: 'path',
    got: source,
    expected: "a path in the argument, e.g. 'address.city'",
  });
}

function byIndex(a: KeyPart, b: KeyPart): number {
  return a.index - b.index;
}
