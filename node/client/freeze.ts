/** What may be done with a decoded value so that nobody alters the cache through it, and deep freezing. */
import { isLeaf } from './copy';

/**
 * - `primitive`: needs no protection.
 * - `plain`: objects and arrays only; can be frozen and copied.
 * - `copyable`: holds a `Date`, `Map`, `Set` or bytes, which freezing does not protect, but which can be copied.
 * - `opaque`: holds instances of classes unknown here, or nests too deeply to walk: can only be decoded again.
 */
export type Traits = 'primitive' | 'plain' | 'copyable' | 'opaque';

/** Deeper values are opaque: walking them could exhaust the stack of whoever reads. */
const DEEPEST = 500;

export function traitsOf(value: unknown): Traits {
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? 'opaque' : 'primitive';
  const seen = new Set<object>();
  let traits: Traits = 'plain';

  const walk = (node: unknown, depth: number): boolean => {
    if (typeof node === 'function') return false;
    if (typeof node !== 'object' || node === null || seen.has(node)) return true;
    if (depth > DEEPEST) return false;
    seen.add(node);
    if (Array.isArray(node)) return node.every((item) => walk(item, depth + 1));
    if (node instanceof Map || node instanceof Set) {
      traits = 'copyable';
      for (const entry of node as Iterable<unknown>) if (!walk(entry, depth + 1)) return false;
      return true;
    }
    if (isLeaf(node)) {
      traits = 'copyable';
      return true;
    }
    const prototype: unknown = Object.getPrototypeOf(node);
    if (prototype !== Object.prototype && prototype !== null) return false;
    for (const name of Object.keys(node)) if (!walk((node as Record<string, unknown>)[name], depth + 1)) return false;
    return true;
  };
  return walk(value, 0) ? traits : 'opaque';
}

/** A JSON value nests one level for every two of its bytes at most, so that small ones need no look. */
export function isShallowJson(value: unknown, bytes: number): boolean {
  return bytes < 2 * DEEPEST || depthWithin(value, DEEPEST);
}

function depthWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  for (const name in value) {
    if (!depthWithin((value as Record<string, unknown>)[name], levels - 1)) return false;
  }
  return true;
}

/** Freezes a `plain` value through and through; cycles are fine. */
export function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const name of Object.keys(value)) deepFreeze((value as Record<string, unknown>)[name]);
}
