/** Who answers a request: one URL may have several handlers, told apart by a version that a header names. */
import { canonical } from '../key/canonical';

export interface Controller {
  readonly name: string;
  readonly prototype: unknown;
}

export type Handler = object & { readonly name: string };

/** Where Nest keeps the versions of `@Version()` and `@Controller({ version })`. */
const VERSION = '__version__';

/** `Places.find`, or `Places.find@["2"]`: classes of two versions often have one name. */
export function answererOf(controller: Controller, handler: Handler): string {
  const name = `${controller.name}.${handler.name}`;
  const version: unknown = Reflect.getMetadata(VERSION, handler) ?? Reflect.getMetadata(VERSION, controller);
  return version === undefined ? name : `${name}@${canonical([version].flat().map(printable))}`;
}

/** `VERSION_NEUTRAL` is a symbol. */
function printable(version: unknown): unknown {
  return typeof version === 'symbol' ? null : version;
}
