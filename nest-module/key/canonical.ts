/**
 * A text for any data, the same whatever the order of an object's fields, and different for different data: types that
 * JSON would confuse (undefined, NaN, bigint, Date, Map, Set, bytes) have forms of their own.
 */

import { isPlainObject } from './plain-object';

/** A value whose content cannot be seen from outside, so that two of them could meet in one key. */
export class NotPrintable extends Error {}

/** A key is not the place for a document: a request object, say, refers to half of the heap. */
const MAX_NODES = 10_000;

export function canonical(value: unknown): string {
  return new CanonicalPrinter().print(value);
}

class CanonicalPrinter {
  #nodes = 0;
  readonly #around = new Set<object>();

  print(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
      case 'boolean':
      case 'undefined':
        return String(value);
      case 'bigint':
        return `${value}n`;
      case 'object':
        return value === null ? 'null' : this.#enter(value);
      default:
        throw new NotPrintable(`a ${typeof value}`);
    }
  }

  #enter(value: object): string {
    if (this.#around.has(value)) throw new NotPrintable('an object that contains itself');
    if ((this.#nodes += 1) > MAX_NODES) throw new NotPrintable(`more than ${MAX_NODES} objects`);
    this.#around.add(value);
    const text = this.#printObject(value);
    this.#around.delete(value);
    return text;
  }

  #printObject(value: object): string {
    if (Array.isArray(value)) return `[${Array.from(value, (item) => this.print(item)).join(',')}]`;
    if (value instanceof Date) return `Date(${value.getTime()})`;
    if (value instanceof Map) return `Map(${this.#printEntries(value)})`;
    if (value instanceof Set) return `Set(${this.#printSorted(value)})`;
    if (value instanceof URL) return `URL(${JSON.stringify(value.href)})`;
    if (value instanceof RegExp) return `RegExp(${JSON.stringify([value.source, value.flags])})`;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return printBytes(value);
    return isPlainObject(value) ? this.#printFields(value) : this.#printInstance(value);
  }

  #printFields(value: object): string {
    const fields = Object.keys(value)
      .sort()
      .map((name) => `${JSON.stringify(name)}:${this.print((value as Record<string, unknown>)[name])}`);
    return `{${fields.join(',')}}`;
  }

  /** A class's `toJSON`, else its own fields. Without either its content is hidden, and guessing would mix users up. */
  #printInstance(value: object): string {
    const name = `new ${nameOf(value)}`;
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return `${name}(${this.print((value as { toJSON(): unknown }).toJSON())})`;
    }
    if (Object.keys(value).length === 0) throw new NotPrintable(`a ${nameOf(value)} without visible fields`);
    return `${name}${this.#printFields(value)}`;
  }

  #printEntries(map: Map<unknown, unknown>): string {
    return Array.from(map, ([key, item]) => `${this.print(key)}=>${this.print(item)}`)
      .sort()
      .join(',');
  }

  #printSorted(set: Set<unknown>): string {
    return Array.from(set, (item) => this.print(item))
      .sort()
      .join(',');
  }
}

function printBytes(value: ArrayBufferView | ArrayBuffer): string {
  const bytes = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value);
  return `${nameOf(value)}(${bytes.toString('base64')})`;
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === 'function' ? constructor.name : 'Object';
}
