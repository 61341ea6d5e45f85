/** Whether a method returns a promise or an Observable: it must be known before the call, because a hit does not call. */
import { Observable } from 'rxjs';
import { decoratorError, type Place } from '../decorators/site';
import type { Method } from './wrap';

export type Returns = 'promise' | 'observable';

/** Constructors that `emitDecoratorMetadata` writes for types which are neither, and can be nothing else. */
const SYNCHRONOUS = new Set<unknown>([Number, String, Boolean, Array, Date, Map, Set, Buffer]);

/** From the option, else from the method itself and the type that TypeScript has written down beside it. */
export function returnsOf(
  prototype: object,
  key: string | symbol,
  method: Method,
  option: Returns | undefined,
  place: Place,
): Returns {
  if (option !== undefined) return option;
  if (method.constructor.name === 'AsyncFunction') return 'promise';
  const type: unknown = Reflect.getMetadata('design:returntype', prototype, key);
  if (typeof type !== 'function') return 'promise';
  if (type === Observable || type.prototype instanceof Observable) return 'observable';
  if (!SYNCHRONOUS.has(type)) return 'promise';
  throw decoratorError(place, `it returns ${type.name} at once, and a cache may have to wait`, {
    got: type.name,
    expected: 'a method that returns a promise or an Observable',
  });
}
