/** Private copies of decoded values. */

/**
 * A copy of what `JSON.parse` made: plain objects, arrays, primitives; no cycles. About 240 ns for a nested object of 250
 * bytes, where `JSON.parse` needs 900 and `structuredClone` 2,000. The spread keeps an own `__proto__` an own property.
 */
export function copyJson(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? copyNode(value) : value;
}

function copyNode(source: object): object {
  if (Array.isArray(source)) {
    const copy = source.slice() as unknown[];
    for (let index = 0; index < copy.length; index++) {
      const item = copy[index];
      if (typeof item === 'object' && item !== null) copy[index] = copyNode(item);
    }
    return copy;
  }
  const copy = { ...source } as Record<string, unknown>;
  for (const name in copy) {
    const item = copy[name];
    if (typeof item === 'object' && item !== null) copy[name] = copyNode(item);
  }
  return copy;
}

/**
 * A copy of what a user's serializer made: what {@link copyJson} copies, and `Date`, `Map`, `Set`, `Buffer`, typed arrays,
 * `ArrayBuffer`, objects without prototype, references that occur twice and cycles. Only for values of which
 * `traitsOf` says that they are copyable.
 */
export function copyAny(value: unknown, seen = new Map<object, object>()): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;

  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (const item of value) copy.push(copyAny(item, seen));
    return copy;
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    seen.set(value, copy);
    for (const [name, item] of value) copy.set(copyAny(name, seen), copyAny(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>();
    seen.set(value, copy);
    for (const item of value) copy.add(copyAny(item, seen));
    return copy;
  }
  const copy = copyLeaf(value) ?? (Object.create(Object.getPrototypeOf(value) as object | null) as object);
  seen.set(value, copy);
  if (isLeaf(value)) return copy;
  for (const name of Object.keys(value)) {
    // Defined, not assigned: `__proto__` may be an own name.
    Object.defineProperty(copy, name, {
      value: copyAny((value as Record<string, unknown>)[name], seen),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return copy;
}

/** Objects of which the content is not in properties. */
export function isLeaf(value: object): boolean {
  return value instanceof Date || ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function copyLeaf(value: object): object | undefined {
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (value instanceof DataView)
    return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  return undefined;
}
