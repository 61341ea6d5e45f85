/**
 * The place a decorator stands at: everything an error has to name, and everything a key expression may refer to.
 */
import { DecoratorError } from '../client';
import { nearestNames } from '../key/nearest';
import type { ParameterList } from '../key/parameters';

/** `before`: the method has not run, there is no result. `after`: there is one. */
export type Phase = 'before' | 'after';

export interface Place {
  /** With the at sign: `@TurboCache`. */
  readonly decorator: string;
  readonly className: string;
  readonly methodName: string;
}

export interface Site extends Place {
  readonly phase: Phase;
  /** `undefined` when the source of the method does not show its parameters. */
  readonly parameters: ParameterList | undefined;
}

export interface Complaint {
  /** The option of the decorator that is wrong. */
  readonly option?: string;
  readonly got?: unknown;
  readonly expected: string;
  /** Names that would have been right. */
  readonly known?: Iterable<string>;
  readonly cause?: unknown;
}

/** `@TurboCache on UsersService.find: option "key": … got …, expected …`. */
export function decoratorError(place: Place, what: string, complaint: Complaint): DecoratorError {
  return new DecoratorError('E_TURBOCACHE_DECORATOR', ...describe(place, what, complaint));
}

function describe(
  { decorator, className, methodName }: Place,
  what: string,
  { option, got, expected, known, cause }: Complaint,
): [string, Record<string, unknown>] {
  const place = `${decorator} on ${className}.${methodName}`;
  const nearest = typeof got === 'string' && known !== undefined ? nearestNames(got, known) : [];
  const hint = nearest.length > 0 ? ` Did you mean ${nearest.map((name) => `"${name}"`).join(' or ')}?` : '';
  const message = `${place}: ${option === undefined ? '' : `option "${option}": `}${what}; expected ${expected}.${hint}`;
  return [
    message,
    {
      decorator,
      className,
      methodName,
      expected,
      ...(option === undefined ? {} : { option }),
      ...(got === undefined ? {} : { got }),
      ...(nearest.length > 0 ? { nearest } : {}),
      ...(cause === undefined ? {} : { cause }),
    },
  ];
}
