/** Keys of the usual shape, text around one or two arguments, made from usual values without a look at the rest of the call. */
import type { Printer } from './print';

/** The text, or `undefined`: only a look at the whole call tells it, or that there is none. */
export type QuickText = (args: readonly unknown[]) => string | undefined;

export interface QuickKey {
  readonly of: QuickText;
  /** Of a text with one slot: what stands around the argument. */
  readonly around?: { readonly before: string; readonly argument: number; readonly after: string };
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
  if (slots.length === 0) return { of: () => before };
  if (one === undefined || more.length > 0) return undefined;
  if (slots.length === 1) {
    const of = (args: readonly unknown[]): string | undefined => {
      const value = args[one.argument];
      return isUsual(value) ? before + one.print(value) + between : undefined;
    };
    return { of, around: { before, argument: one.argument, after: between } };
  }
  if (two === undefined) return undefined;
  return {
    of: (args) => {
      const [a, b] = [args[one.argument], args[two.argument]];
      return isUsual(a) && isUsual(b) ? before + one.print(a) + between + two.print(b) + end : undefined;
    },
  };
}

/** Never missing, and always printable. */
function isUsual(value: unknown): value is number | string {
  return typeof value === 'number' || typeof value === 'string';
}
