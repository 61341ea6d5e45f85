/** Sizes in options of this module, by the one unit rule: a number is bytes, a text carries its unit, in powers of 1,024. */
import { ConfigurationError } from '../client';

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30 };

/** Bytes; `where` names the option's owner in the error. */
export function bytes(value: unknown, option: string, where: string): number {
  const size = typeof value === 'string' ? fromText(value) : value;
  if (typeof size === 'number' && size >= 0 && size <= Number.MAX_SAFE_INTEGER) return Math.floor(size);
  const expected = "bytes as a number, or a text such as '64kb', '64mb' or '2gb'";
  throw new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `${where}: option "${option}" is ${JSON.stringify(value)}; expected ${expected}.`,
    { option, got: value, expected },
  );
}

function fromText(text: string): number | undefined {
  const match = /^(\d*\.?\d+)(b|kb|mb|gb)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!;
}
