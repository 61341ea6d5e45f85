/** Puts a function in the place of a method so that nobody else notices. */

export type Method = (this: object, ...args: unknown[]) => unknown;

/** Wrapper → what it wraps, to read parameter names through several decorators of ours. */
const wrapped = new WeakMap<Method, Method>();

/** Gives `wrapper` the name, the length, the metadata and the own fields of `original`. */
export function standInFor(original: Method, wrapper: Method): Method {
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue;
    const descriptor = Object.getOwnPropertyDescriptor(original, key);
    if (descriptor !== undefined) Object.defineProperty(wrapper, key, descriptor);
  }
  // Guards, pipes, routes, …: Nest and others keep them as metadata of the function.
  for (const key of Reflect.getOwnMetadataKeys(original) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), wrapper);
  }
  wrapped.set(wrapper, original);
  return wrapper;
}

/** The method as the user wrote it. */
export function innermost(method: Method): Method {
  let inner = method;
  for (let next = wrapped.get(inner); next !== undefined; next = wrapped.get(inner)) inner = next;
  return inner;
}

export function isStandIn(method: Method): boolean {
  return wrapped.has(method);
}
