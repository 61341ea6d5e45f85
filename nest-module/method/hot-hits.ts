/**
 * Hits of L0 under keys that are made at a glance: nothing is allocated for one but what the caller gets.
 *
 * One object a decorated method, with everything a hit needs in fields of its own: what V8 can inline here is the difference
 * between 1.05 and 1.3 times the hit that it stands for, in a program with many decorated classes.
 */
import type { Shortcuts } from '../client';
import { isInTransaction } from '../eviction/transaction';
import { KnownKeys } from '../key/known-keys';
import type { QuickKey, QuickText } from '../key/quick-key';
import type { Binding } from '../registry/cache-registry';
import type { ScopeFinder } from './scope';

export class HotHits {
  /** Which arguments of a call the key is made of. */
  readonly first: number;
  readonly second: number;
  private readonly keyOf: QuickText;
  /** Of a key that is text around one argument. */
  private readonly known: KnownKeys | undefined;
  // Of the class and application that called last: most methods have one all their life.
  private binding: Binding | undefined;
  private shortcuts: Shortcuts | undefined;
  private longest = 0;

  constructor(
    private readonly scopes: ScopeFinder,
    { first, second, before, of }: QuickKey,
  ) {
    this.first = first;
    this.second = second;
    this.keyOf = of;
    this.known = before === undefined ? undefined : new KnownKeys(before);
  }

  /** `undefined`: not here, or not seen at a glance. */
  find(binding: Binding, first: unknown, second: unknown): unknown {
    if (binding !== this.binding) this.bind(binding);
    if (this.shortcuts === undefined || isInTransaction()) return undefined;
    const known = this.known?.of(first);
    const key = known ?? this.keyOf(first, second);
    if (key === undefined || key.length > this.longest) return undefined;
    const value = this.shortcuts.hot(key);
    if (known === undefined && value !== undefined) this.known?.remember(first, key);
    return value;
  }

  private bind(binding: Binding): void {
    const scope = this.scopes.find(binding);
    this.binding = binding;
    // What the context says is in the key needs a look at the whole call.
    this.shortcuts = scope?.varyBy.length === 0 ? scope.shortcuts : undefined;
    // A UTF-16 unit is at most three bytes: these are known to need no digest.
    this.longest = scope === undefined ? 0 : Math.floor(scope.hashKeysAbove / 3);
  }
}
