/** Keys of the usual shape, text around one or two arguments, made from usual values without a look at the rest of the call. */
import type { Printer } from './print';

/** The text, or `undefined`: only a look at the whole call tells it, or that there is none. */
export type QuickText = (first: unknown, second: unknown) => string | undefined;

export interface QuickKey {
  /** Which arguments it is made of. */
  readonly first: number;
  readonly second: number;
  readonly of: QuickText;
  /** Of a text with one slot: how much of it stands before the argument. */
  readonly before?: number;
}

/** A slot that is an argument as it is. */
export interface ArgumentSlot {
  readonly argument: number;
  readonly print: Printer;
}

export function quickKey(
  slots: readonly (ArgumentSlot | undefined)[],
  literals: readonly string[],
): QuickKey | undefined {
  const [one, two, ...more] = slots;
  const [before = '', between = '', end = ''] = literals;
  if (slots.length === 0) return { first: 0, second: 0, of: () => before };
  if (one === undefined || more.length > 0) return undefined;
  if (slots.length === 1) {
    const of = (value: unknown): string | undefined =>
      isUsual(value) ? before + one.print(value) + between : undefined;
    return { first: one.argument, second: one.argument, of, before: before.length };
  }
  if (two === undefined) return undefined;
  return {
    first: one.argument,
    second: two.argument,
    of: (a, b) => (isUsual(a) && isUsual(b) ? before + one.print(a) + between + two.print(b) + end : undefined),
  };
}

/** Never missing, and always printable. */
function isUsual(value: unknown): value is number | string {
  return typeof value === 'number' || typeof value === 'string';
}
