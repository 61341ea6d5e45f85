/**
 * The arguments that a method is called with most: a bounded count of sampled calls. When it is full, a newcomer takes the place of
 * the least counted one and its count (Metwally et al., "Efficient Computation of Frequent and Top-k Elements in Data
 * Streams", 2005: Space-Saving). Counts are halved at each look, so that what was hot yesterday makes room.
 */
import { canonical, NotPrintable } from '../key/canonical';

export interface SeenCall {
  readonly instance: object;
  readonly args: readonly unknown[];
}

export class HotKeys {
  readonly #counted = new Map<string, { readonly call: SeenCall; count: number }>();

  constructor(private readonly capacity: number) {}

  /** Calls whose arguments cannot be told apart are not counted. */
  see(call: SeenCall): void {
    const text = textOf(call.args);
    if (text === undefined) return;
    const present = this.#counted.get(text);
    if (present !== undefined) present.count += 1;
    else this.#counted.set(text, { call, count: this.#counted.size < this.capacity ? 1 : this.#takePlace() + 1 });
  }

  /** The most counted ones, at most so many. */
  hottest(limit: number): SeenCall[] {
    return [...this.#counted.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, limit)
      .map(({ call }) => call);
  }

  age(): void {
    for (const [text, counted] of this.#counted) {
      counted.count /= 2;
      if (counted.count < 0.5) this.#counted.delete(text);
    }
  }

  #takePlace(): number {
    let [least, count] = ['', Infinity];
    for (const [text, counted] of this.#counted) if (counted.count < count) [least, count] = [text, counted.count];
    this.#counted.delete(least);
    return count;
  }
}

export function textOf(args: readonly unknown[]): string | undefined {
  try {
    return canonical(args);
  } catch (error) {
    if (error instanceof NotPrintable) return undefined;
    throw error;
  }
}
