/** Handlers whose value is not the body of the response: it could be stored, and would answer nobody. */
import { CONTEXT, INFO, nestParameters } from '../key/nest-parameters';
import type { Controller, Handler } from './answerer';

/** Server-sent events, redirects, templates. */
const OTHER_ANSWERS = ['__sse__', '__redirect__', '__renderTemplate__'];
/** `@Res({ passthrough: true })`: Nest sends what the handler returns, as without `@Res()`. */
const PASSTHROUGH = '__responsePassthrough__';

export function answersOtherwise({ prototype }: Controller, handler: Handler): boolean {
  return (
    OTHER_ANSWERS.some((key) => Reflect.hasMetadata(key, handler)) || sendsItself(prototype as object, handler.name)
  );
}

/** With `@Res()` or `@Next()`, by which Nest leaves the response to the handler. */
function sendsItself(prototype: object, name: string): boolean {
  const takesResponse = nestParameters(prototype, name).some(({ kind }) => kind === CONTEXT || kind === INFO);
  return takesResponse && Reflect.getMetadata(PASSTHROUGH, prototype.constructor, name) !== true;
}
