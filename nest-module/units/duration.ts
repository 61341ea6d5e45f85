/** Times in options of this module, by the one unit rule: a number is milliseconds, a text carries its unit. */
import { ConfigurationError } from '../client';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest time a timer of Node can wait for. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds; `where` names the option's owner in the error: `TurboCacheWarmingModule`. */
export function milliseconds(value: unknown, option: string, where: string): number {
  const ms = typeof value === 'string' ? fromText(value) : value;
  if (typeof ms === 'number' && ms >= 0 && ms <= LONGEST) return Math.ceil(ms);
  const expected = "milliseconds, or a text such as '250ms', '30s', '5m' or '1h', at most 24 days";
  throw new ConfigurationError(
    'E_TURBOCACHE_DURATION',
    `${where}: option "${option}" is ${JSON.stringify(value)}; expected ${expected}.`,
    { option, got: value, expected },
  );
}

function fromText(text: string): number | undefined {
  const match = /^(\d*\.?\d+)(ms|s|m|h|d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!;
}
