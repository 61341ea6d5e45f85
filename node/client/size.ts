/** The one unit rule of size: a number is bytes, a string carries its unit, in powers of 1,024. */

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30 };

export const SIZE_EXPECTED = "bytes as a number, or a string with a unit such as '512b', '64kb', '64mb' or '2gb'";

/** Bytes, rounded down to whole ones; `undefined` for what is no size or negative. */
export function parseSize(input: unknown): number | undefined {
  const bytes = typeof input === 'string' ? fromText(input) : input;
  if (typeof bytes !== 'number' || !(bytes >= 0 && bytes <= Number.MAX_SAFE_INTEGER)) return undefined;
  return Math.floor(bytes);
}

function fromText(text: string): number | undefined {
  const match = /^(\d*\.?\d+(?:e[+-]?\d+)?)(b|kb|mb|gb)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNITS[match[2]!]!;
}
