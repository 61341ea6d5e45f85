/** One call of a decorated method, as the decorators see it. */
import type { KeyContext } from '../client';

/**
 * What a function in a decorator's options is given before the method runs. `args` is typed loosely, because a
 * decorator cannot know the method below it: name and type the elements where you take them apart.
 */
export interface CallContext extends KeyContext {
  readonly className: string;
  readonly methodName: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
  readonly args: readonly any[];
}

/** The same after the method ran. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the result's type is the method's, see CallContext
export interface ResultContext<Result = any> extends CallContext {
  readonly result: Result;
}

/** A call with the object it was made on; the class is that of the object, which may extend the decorated one. */
export class MethodCall implements CallContext {
  constructor(
    readonly instance: object,
    readonly methodName: string,
    readonly args: readonly unknown[],
    readonly result?: unknown,
  ) {}

  get className(): string {
    return classNameOf(this.instance);
  }

  withResult(result: unknown): MethodCall & ResultContext {
    return new MethodCall(this.instance, this.methodName, this.args, result) as MethodCall & ResultContext;
  }
}

function classNameOf(instance: object): string {
  const { constructor } = instance as { constructor?: unknown };
  return typeof constructor === 'function' ? constructor.name : '';
}
