/** What a method returns: it must be known before the call, because a hit does not call. */
import { Observable } from 'rxjs';
import { decoratorError, type Place } from '../decorators/site';
import type { Method } from './wrap';

/** `value`: the result itself, at once. */
export type Returns = 'promise' | 'observable' | 'value';

/** Constructors that `emitDecoratorMetadata` writes for types which are neither promise nor Observable, and can be nothing else. */
const SYNCHRONOUS = new Set<unknown>([Number, String, Boolean, Array, Date, Map, Set, Buffer]);

/** What a cache decorator below has found out. */
const known = new WeakMap<Method, Returns>();

/** From the option, else from the method itself and the type that TypeScript has written down beside it. */
export function returnsOf(
  prototype: object,
  key: string | symbol,
  method: Method,
  option: Returns | undefined,
  place: Place,
): Returns {
  const type: unknown = Reflect.getMetadata('design:returntype', prototype, key);
  const isAsync = method.constructor.name === 'AsyncFunction' || type === Promise;
  if (option === 'value' && (isAsync || isObservableType(type))) {
    throw decoratorError(place, `it returns ${isAsync ? 'a promise' : 'an Observable'}`, {
      option: 'returns',
      got: option,
      expected: `'${isAsync ? 'promise' : 'observable'}', or no such option`,
    });
  }
  const below = known.get(method);
  if (option !== undefined || below !== undefined) return option ?? below!;
  if (isAsync || typeof type !== 'function') return 'promise';
  if (isObservableType(type)) return 'observable';
  if (!SYNCHRONOUS.has(type)) return 'promise';
  throw decoratorError(place, `it returns ${type.name} at once, and a cache may have to wait`, {
    got: type.name,
    expected: "a method that returns a promise or an Observable, or `returns: 'value'` to cache it in memory",
  });
}

/** For the decorators above: what the wrapper of a method returns. */
export function rememberReturns(wrapper: Method, returns: Returns): void {
  known.set(wrapper, returns);
}

function isObservableType(type: unknown): boolean {
  return typeof type === 'function' && (type === Observable || type.prototype instanceof Observable);
}
