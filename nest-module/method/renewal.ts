/** Filling and renewing an entry without a caller: what a warmer asks of a method that `@TurboCache` stands on. */
import type { Method } from './wrap';

/**
 * Resolves when what it has begun to load in this process is stored.
 *
 * @param ahead Fraction of the ttl after which an entry that is there is loaded again; `null`: only what is
 * missing is loaded.
 */
export type Renew = (instance: object, args: unknown[], ahead: number | null) => Promise<unknown>;

const renewals = new WeakMap<Method, Renew>();

export function rememberRenewal(method: Method, renew: Renew): void {
  renewals.set(method, renew);
}

/** `undefined`: no `@TurboCache` stands right there. */
export function renewalOf(method: Method): Renew | undefined {
  return renewals.get(method);
}
