/** When a hit starts a reload ahead of time, so that a hot key is never missed: at a fraction of the ttl, or by chance. */
import { NEVER } from './hot-tier';

export interface Ahead {
  /** Of the ttl; `null` = not that way. */
  readonly fraction: number | null;
  /** How eagerly chance decides; `null` = not that way. */
  readonly beta: number | null;
}

interface AheadOptions {
  readonly eagerRefresh?: number | null;
  readonly earlyRefresh?: number | null;
}

/** `null`: never. */
export function aheadOf({ eagerRefresh, earlyRefresh }: AheadOptions): Ahead | null {
  const ahead = { fraction: eagerRefresh ?? null, beta: earlyRefresh ?? null };
  return ahead.fraction === null && ahead.beta === null ? null : ahead;
}

/** Times of a value in milliseconds. */
export interface Ages {
  readonly ttl: number;
  readonly freshFor: number;
  /** How long its loader took; 0 = nobody knows. */
  readonly loadTime: number;
}

/**
 * Whether a hit starts a reload now. By chance: XFetch (Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache
 * Stampede Prevention", VLDB 2015). The nearer the end and the longer the load, the likelier; no two callers need to agree.
 */
export function isDue(ahead: Ahead, { ttl, freshFor, loadTime }: Ages, random: () => number): boolean {
  if (ttl >= NEVER) return false;
  if (ahead.fraction !== null && ttl - freshFor > ahead.fraction * ttl) return true;
  return ahead.beta !== null && loadTime > 0 && -Math.log(1 - random()) * ahead.beta * loadTime >= freshFor;
}

/** `-log(1 - random())` never exceeds this, because `random()` has 53 bits. */
const LONGEST_SHOT = 37;

/** Whether {@link isDue} could say yes: for who leaves the decision to somebody else. */
export function mayBeDue({ fraction, beta }: Ahead, { ttl, freshFor, loadTime }: Ages): boolean {
  if (ttl >= NEVER) return false;
  return (
    (fraction !== null && ttl - freshFor > fraction * ttl) ||
    (beta !== null && freshFor <= LONGEST_SHOT * beta * loadTime)
  );
}
