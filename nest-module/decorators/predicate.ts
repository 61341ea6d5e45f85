/** `condition` and `unless`: functions of the user that say true or false, at once. */
import { decoratorError, type Place } from './site';

/**
 * What the function says. Anything but true or false is an error: a promise would pass for true, and a forgotten `return` for false. Who
 * asks catches it as he catches what the function throws, and takes the side on which nothing old is served.
 */
export function ask<Context>(
  predicate: (context: Context) => boolean,
  context: Context,
  option: 'condition' | 'unless',
  place: Place,
): boolean {
  const said: unknown = predicate(context);
  if (typeof said === 'boolean') return said;
  // Nobody will wait for it: a rejection must not end the process.
  if (isThenable(said)) said.then(undefined, () => {});
  throw decoratorError(place, `the function answered ${kindOf(said)}`, { option, expected: 'true or false' });
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return isThenable(value) ? 'a promise' : `a value of type ${typeof value}`;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function';
}
