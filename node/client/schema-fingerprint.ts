/** A schema as a short text: two schemas have the same one only if they say the same, in whatever order of names. */
import { createHash } from 'node:crypto';
import { CONFIGURATION, refuse } from './option-check';
import { isWellFormed } from './text';

/** 64 bits: a deploy is told from the few that live beside it, not from all there ever were. */
const DIGITS = 16;
const EXPECTED = 'a JSON value: null, a boolean, a finite number, a text, or arrays and plain objects of these';

/** Throws a `ConfigurationError` for what is not JSON. `option` is its name. */
export function fingerprintOf(option: string, schema: unknown): string {
  return createHash('sha256')
    .update(canonical(option, schema, []))
    .digest('hex')
    .slice(0, DIGITS);
}

/** `within`: the objects around it, by which a circle is found. */
function canonical(option: string, value: unknown, within: readonly object[]): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === 'string' && isWellFormed(value)) return JSON.stringify(value);
  if (typeof value !== 'object') return refuse(CONFIGURATION, option, value, EXPECTED);

  if (within.includes(value)) refuse(CONFIGURATION, option, value, `${EXPECTED}, without a circle`);
  const around = [...within, value];
  if (Array.isArray(value)) {
    // `Array.from` shows the holes, too.
    return `[${Array.from(value, (item, index) => canonical(`${option}[${index}]`, item, around)).join(',')}]`;
  }
  if (!isPlain(value)) refuse(CONFIGURATION, option, value, EXPECTED);
  // The order of the units, which is no language's.
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonical(`${option}.${name}`, item, around)}`).join(',')}}`;
}

/** Not an object of a class, of which JSON would show something else. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
