/** What was decorated, by class: read by the check at start-up, never on a call. */
import { ByClass } from './by-class';

export interface Declaration {
  readonly decorator: string;
  readonly methodName: string;
  /** The `cache` option of the decorator. */
  readonly cache: string | undefined;
  /** The key contains the name of the class. */
  readonly namesClass: boolean;
}

const declarations = new ByClass<Declaration>();

export function declare(prototype: object, declaration: Declaration): void {
  declarations.add(prototype, declaration);
}

/** Everything declared on a class and on those it extends. */
export function declarationsOf(type: abstract new (...args: never[]) => unknown): Declaration[] {
  return declarations.of(type.prototype as object | null);
}
