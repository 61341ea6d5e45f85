/**
 * What the Nest module may do besides the public API: where a promise or a closure would cost more than the hit, and where
 * there is no promise to be had. It finds this by a symbol that both sides know; nobody else is meant to.
 */
import type { EntryOptions, LoaderContext } from '../../index';
import { NEVER, type HotTier } from './hot-tier';
import { mayBeDue, type Ahead } from './ahead';
import { ReadStatus, Word } from './native';
import type { Space } from './space';

export const SHORTCUTS = Symbol.for('turbocache-js:shortcuts');

/** A synchronous `getOrSet` that knows only the memory of this process. */
export type GetOrLoadNow = (
  key: string,
  loader: (context: LoaderContext) => unknown,
  options: EntryOptions | undefined,
) => unknown;

export class Shortcuts {
  private readonly hotTier: HotTier;

  /** `ahead` is that of the calls that this stands for. */
  constructor(
    private readonly space: Space,
    private readonly ahead: Ahead | null,
    readonly getOrLoadNow: GetOrLoadNow,
  ) {
    this.hotTier = space.tiers.hot;
  }

  /** The value of a hit in L0, as `getOrSet` hands it out. `undefined`: ask `getOrSet`, which also counts the miss. */
  hot(key: string): unknown {
    const node = this.hotTier.hit(this.space.hot, key);
    if (node === undefined) return undefined;
    // A reload ahead of time needs a loader.
    if (
      this.ahead !== null &&
      mayBeDue(this.ahead, { ttl: node.ttl, freshFor: this.hotTier.freshFor(node), loadTime: node.loadTime })
    )
      return undefined;
    this.hotTier.hits++;
    return node.kept.take();
  }

  /** Resolves when the reload ahead of time that runs for this key in this isolate has ended, whether or not it stored anything. */
  async reloaded(key: string): Promise<void> {
    await this.space.reloads.get(key)?.stored;
  }

  /**
   * How old the value of L0 or L1 is in milliseconds, and whether only its grace keeps it. The ages of remote values come from
   * the store's own clock. `undefined`: it is not here, or it never ends, and then nobody knows when it began.
   */
  life(key: string): { readonly age: number; readonly stale: boolean } | undefined {
    const { tiers } = this.space;
    if (tiers.closed) return undefined;
    const node = this.hotTier.hit(this.space.hot, key);
    if (node !== undefined) return lifeOf(node.ttl, this.hotTier.freshFor(node));
    if (this.space.readMemory(key) === ReadStatus.Miss) return undefined;
    const { answer } = tiers.session;
    return lifeOf(answer.word(Word.Ttl), answer.word(Word.FreshFor));
  }
}

function lifeOf(ttl: number, freshFor: number): { readonly age: number; readonly stale: boolean } | undefined {
  return ttl >= NEVER ? undefined : { age: Math.max(0, ttl - freshFor), stale: freshFor <= 0 };
}
