/**
 * Hits of L0 under keys that are made at a glance: nothing is allocated for one but what the caller gets.
 *
 * One object a decorated method, with everything a hit needs in fields of its own: what V8 can inline here is the difference
 * between 1.05 and 1.3 times the hit that it stands for, in a program with many decorated classes.
 */
import type { Shortcuts } from '../client';
import type { QuickKey, QuickText } from '../key/quick-key';
import type { Binding } from '../registry/cache-registry';
import type { ScopeFinder } from './scope';

export class HotHits {
  private readonly isAroundOne: boolean;
  private readonly before: string;
  private readonly argument: number;
  private readonly after: string;
  private readonly keyOf: QuickText;
  // Of the class and application that called last: most methods have one all their life.
  private binding: Binding | undefined;
  private shortcuts: Shortcuts | undefined;
  private longest = 0;

  constructor(
    private readonly scopes: ScopeFinder,
    { around, of }: QuickKey,
  ) {
    this.isAroundOne = around !== undefined;
    this.before = around?.before ?? '';
    this.argument = around?.argument ?? 0;
    this.after = around?.after ?? '';
    this.keyOf = of;
  }

  /** `undefined`: not here, or not seen at a glance. */
  find(binding: Binding, args: readonly unknown[]): unknown {
    if (binding !== this.binding) this.bind(binding);
    if (this.shortcuts === undefined) return undefined;
    const value = this.isAroundOne ? args[this.argument] : undefined;
    // Digits are the same in every slot.
    const isId = Number.isSafeInteger(value) && (value as number) >= 0;
    const key = isId ? this.before + String(value) + this.after : this.keyOf(args);
    return key === undefined || key.length > this.longest ? undefined : this.shortcuts.hot(key);
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
