/**
 * What the Nest module may do besides the public API: where a promise or a closure would cost more than the hit, and where
 * there is no promise to be had. It finds this by a symbol that both sides know; nobody else is meant to.
 */
import type { EntryOptions, LoaderContext } from '../../index';
import type { HotTier } from './hot-tier';
import { isDue, type Space } from './space';

export const SHORTCUTS = Symbol.for('turbocache-js:shortcuts');

/** A synchronous `getOrSet` that knows only the memory of this process. */
export type GetOrLoadNow = (
  key: string,
  loader: (context: LoaderContext) => unknown,
  options: EntryOptions | undefined,
) => unknown;

export class Shortcuts {
  private readonly hotTier: HotTier;

  /** `eagerRefresh` is that of the calls that this stands for. */
  constructor(
    private readonly space: Space,
    private readonly eagerRefresh: number | null,
    readonly getOrLoadNow: GetOrLoadNow,
  ) {
    this.hotTier = space.tiers.hot;
  }

  /** The value of a hit in L0, as `getOrSet` hands it out. `undefined`: ask `getOrSet`, which also counts the miss. */
  hot(key: string): unknown {
    const node = this.hotTier.hit(this.space.hot, key);
    if (node === undefined) return undefined;
    // A reload ahead of time needs a loader.
    if (this.eagerRefresh !== null && isDue(node.ttl, this.hotTier.freshFor(node), this.eagerRefresh)) return undefined;
    this.hotTier.hits++;
    return node.kept.take();
  }
}
