/** What Nest's parameter decorators say about the parameters of a method; GraphQL's use the same numbers as HTTP's. */
import 'reflect-metadata';

/** `@Parent()` in GraphQL, `@Req()` in HTTP. */
export const PARENT = 0;
/** `@Context()` in GraphQL, `@Res()` in HTTP. */
export const CONTEXT = 1;
/** `@Info()` in GraphQL, `@Next()` in HTTP. */
export const INFO = 2;
/** `@Args()` in GraphQL, `@Body()` in HTTP. */
export const ARGS = 3;

/** Under this name Nest keeps them on the class, for each method. */
const PARAMETERS = '__routeArguments__';

export interface NestParameter {
  readonly index: number;
  /** `undefined` for a decorator of the application's own. */
  readonly kind: number | undefined;
}

/** Parameters with a decorator of Nest, in their order. They are decorated before the method is. */
export function nestParameters(prototype: object, method: string | symbol): NestParameter[] {
  const found = Reflect.getMetadata(PARAMETERS, prototype.constructor, method) as
    Record<string, { index: number }> | undefined;
  return Object.entries(found ?? {})
    .map(([name, { index }]) => ({ index, kind: kindIn(name) }))
    .sort((a, b) => a.index - b.index);
}

/** `3:0` is what Nest writes for `@Args()` on the first parameter. */
function kindIn(name: string): number | undefined {
  const [, kind] = /^(\d+):\d+$/.exec(name) ?? [];
  return kind === undefined ? undefined : Number(kind);
}
