/**
 * A class whose decorator does nothing without a certain module asks Nest for that module: without it the application
 * does not start, and Nest's own message names class and module.
 */
import { Inject } from '@nestjs/common';

/** @param name The token that the module provides for everybody: its own name, so that the message can be read. */
export function requireModule(prototype: object, name: string): void {
  const property = Symbol.for(`turbocache:requires:${name}`);
  if (property in prototype) return;
  // Nothing is kept: it is only about being there.
  Object.defineProperty(prototype, property, { configurable: true, get: () => undefined, set: () => {} });
  Inject(name)(prototype, property);
}
