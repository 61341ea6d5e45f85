/** Where a decorator stands, and whether there is a method. */
import { decoratorError, type Place } from '../decorators/site';
import type { Method } from './wrap';

/** A class that is decorated itself has no `key`. */
export function placeOf(decorator: string, target: object, key: string | symbol | undefined): Place {
  const type = typeof target === 'function' ? target : (target as object | undefined)?.constructor;
  const methodName = typeof key === 'object' ? String((key as { name?: unknown }).name) : String(key ?? 'constructor');
  return { decorator, className: type?.name ?? '', methodName };
}

/** The method in a descriptor; an error for anything else a decorator can be put on. */
export function methodIn(descriptor: unknown, prototype: unknown, place: Place): Method {
  const method: unknown = (descriptor as PropertyDescriptor | undefined)?.value;
  if (typeof prototype === 'object' && prototype !== null && typeof method === 'function') return method as Method;
  throw typeof prototype === 'function' && typeof method === 'function' ? isStatic(place) : noMethod(place);
}

/** Of a static method, or of one of its parameters. */
export function isStatic(place: Place): Error {
  return decoratorError(place, 'a static method belongs to no application', { expected: METHOD });
}

export function noMethod(place: Place): Error {
  return decoratorError(place, 'it does not stand on a method', { expected: METHOD });
}

const METHOD = 'a method of a class, compiled with `experimentalDecorators`';
