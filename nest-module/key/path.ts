/**
 * Follows a path through data: own properties, and getters that the object's class defines. Methods, and whatever
 * `Object.prototype` offers to every object, are not data and read as missing.
 */
export function follow(start: unknown, path: readonly string[]): unknown {
  let value = start;
  for (const part of path) value = step(value, part);
  return value;
}

function step(value: unknown, part: string): unknown {
  if (value === null || value === undefined) return undefined;
  const holder = Object(value) as Record<string, unknown>;
  if (Object.hasOwn(holder, part)) return holder[part];
  return hasGetter(holder, part) ? (value as Record<string, unknown>)[part] : undefined;
}

function hasGetter(holder: object, part: string): boolean {
  let level = Object.getPrototypeOf(holder) as object | null;
  while (level !== null && level !== Object.prototype) {
    const descriptor = Object.getOwnPropertyDescriptor(level, part);
    if (descriptor !== undefined) return descriptor.get !== undefined;
    level = Object.getPrototypeOf(level) as object | null;
  }
  return false;
}
