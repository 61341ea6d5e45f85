/**
 * The other side of `Agent` and `Isolate`: runs functions that arrive as source text, with a manager of its own.
 * Results and failures go back as structured clones.
 */
import { createRequire } from 'node:module';
import * as turbocache from 'turbocache-js';

const require = createRequire(import.meta.url);

/** What every function gets as its first argument. It may keep things here between two calls. */
export function makeScope(options) {
  const scope = { turbocache, require, manager: undefined, errors: [], loads: 0, open };
  function open(managerOptions) {
    const manager = new turbocache.CacheManager(managerOptions);
    manager.on('error', (error) => scope.errors.push(plain(error)));
    return manager;
  }
  if (options !== null) scope.manager = open(options);
  return scope;
}

export async function evaluate(scope, source, args) {
  try {
    const run = (0, eval)(`(${source})`);
    return { value: await run(scope, ...args) };
  } catch (error) {
    return { failure: plain(error) };
  }
}

/** An error as data: a structured clone would lose its code. */
function plain(error) {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  const { name, message, code, cause } = error;
  return { name, message, code, cause: cause === undefined ? undefined : plain(cause) };
}
