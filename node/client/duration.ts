/** The one unit rule of time: a number is milliseconds, a string carries its unit. */

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A hundred years: far above every cache's needs, far below what overflows a 64-bit clock in nanoseconds. */
const LONGEST = 100 * 365 * 86_400_000;

export const DURATION_EXPECTED =
  "milliseconds as a number, or a string with a unit such as '250ms', '30s', '5m', '1h' or '1d'";

/** Milliseconds, rounded up to whole ones; `undefined` for what is no duration, negative, or beyond a hundred years. */
export function parseDuration(input: unknown): number | undefined {
  const ms = typeof input === 'string' ? fromText(input) : input;
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= LONGEST)) return undefined;
  return Math.ceil(ms);
}

function fromText(text: string): number | undefined {
  const match = /^(\d*\.?\d+(?:e[+-]?\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNITS[match[2]!]!;
}
