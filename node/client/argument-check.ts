/** Checks of the arguments of a cache's methods. What was given is named by its kind only: it may be a user's data. */
import { InvalidArgumentError } from './errors';

export function checkList(option: string, input: unknown): void {
  if (!Array.isArray(input)) throw badArgument(option, input, 'an array');
}

export function checkFunction(option: string, input: unknown): void {
  if (typeof input !== 'function') throw badArgument(option, input, 'a function');
}

export function checkObject(option: string, input: unknown): void {
  if (typeof input !== 'object' || input === null)
    throw badArgument(option, input, 'objects of key, value and options');
}

export function badArgument(option: string, input: unknown, expected: string): InvalidArgumentError {
  const got = input === null ? 'null' : Array.isArray(input) ? 'an array' : typeof input;
  const message = `The argument ${option} is ${got}; expected ${expected}.`;
  return new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, { option, got, expected });
}
