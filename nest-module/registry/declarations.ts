/** What was decorated, by class: read by the check at start-up, never on a call. */

export interface Declaration {
  readonly decorator: string;
  readonly methodName: string;
  /** The `cache` option of the decorator. */
  readonly cache: string | undefined;
  /** The key contains the name of the class. */
  readonly namesClass: boolean;
}

const declarations = new WeakMap<object, Declaration[]>();

export function declare(prototype: object, declaration: Declaration): void {
  const present = declarations.get(prototype);
  if (present === undefined) declarations.set(prototype, [declaration]);
  else present.push(declaration);
}

/** Everything declared on a class and on those it extends. */
export function declarationsOf(type: abstract new (...args: never[]) => unknown): Declaration[] {
  const found: Declaration[] = [];
  let level = type.prototype as object | null;
  while (level !== null) {
    found.push(...(declarations.get(level) ?? []));
    level = Object.getPrototypeOf(level) as object | null;
  }
  return found;
}
