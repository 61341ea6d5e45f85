/**
 * Whether an object is nothing but its fields. That is so without a prototype, with the one of object literals (of any
 * realm: Jest gives each test file its own), and with an empty one, as query parsers make them.
 */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  if (Object.getPrototypeOf(prototype) !== null) return false;
  return !Object.hasOwn(prototype, 'constructor') || prototype.constructor.name === 'Object';
}
