/**
 * What is known of the request that a call belongs to, by `AsyncLocalStorage`: values for keys, and results that are made
 * once a request. It comes along through promises, timers, and loads: a loader runs in the context of its caller.
 *
 * Without an open context nothing of this costs anything. Once one was opened, `AsyncLocalStorage` makes each `await` of the
 * process slower: by about 0.1 µs on Node 20.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { InvalidArgumentError, TurboCacheError } from '../client';
import { Memo } from './memo';

/** Names of your own are as good as these. */
export interface TurboCacheContextValues {
  tenant?: unknown;
  user?: unknown;
  locale?: unknown;
  [name: string]: unknown;
}

/** Asked for its value when somebody needs it: a user is often known only behind the guards. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the request is that of the platform, with what guards have added
export type ContextSource = (request: any) => unknown;

export class OpenContext {
  readonly memo = new Memo();
  readonly #values = new Map<string, unknown>();

  constructor(
    values: TurboCacheContextValues,
    private readonly outer: OpenContext | undefined,
    private readonly sources: Readonly<Record<string, ContextSource>> = {},
    /** The same request may become known in another form: Fastify has one before and one behind its middleware. */
    public request?: unknown,
  ) {
    for (const [name, value] of Object.entries(values)) this.set(name, value);
  }

  get(name: string): unknown {
    if (this.#values.has(name)) return this.#values.get(name);
    const source = Object.hasOwn(this.sources, name) ? this.sources[name] : undefined;
    if (source === undefined) return this.outer?.get(name);
    const value = source(this.request);
    // What is not known yet may be known later.
    if (value !== undefined && value !== null) this.#values.set(name, value);
    return value;
  }

  set(name: string, value: unknown): void {
    this.#values.set(name, value);
  }
}

const storage = new AsyncLocalStorage<OpenContext>();

export function currentContext(): OpenContext | undefined {
  return storage.getStore();
}

export function runIn<T>(context: OpenContext, body: () => T): T {
  return storage.run(context, body);
}

/** The context of the code that runs: that of a request, a message, a job. */
export interface TurboCacheContextAccess {
  /**
   * Runs `body`, and all that it starts, in a context of its own. Values that it does not give are those of the context
   * around it; what is memoised is not shared with that.
   */
  run<T>(values: TurboCacheContextValues, body: () => T): T;
  /** A value of the context, or `undefined`. */
  get<T = unknown>(name: keyof TurboCacheContextValues): T | undefined;
  /** Sets a value for the rest of the request, e.g. in a guard. */
  set(name: keyof TurboCacheContextValues, value: unknown): void;
  /** Whether there is one. */
  readonly isOpen: boolean;
}

export const TurboCacheContext: TurboCacheContextAccess = Object.freeze({
  run<T>(values: TurboCacheContextValues, body: () => T): T {
    const given: unknown = values;
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw notRun('values', given, VALUES);
    if (typeof body !== 'function') throw notRun('body', body, 'a function');
    return runIn(new OpenContext(values, currentContext()), body);
  },
  get: <T>(name: keyof TurboCacheContextValues): T | undefined => currentContext()?.get(String(name)) as T | undefined,
  set(name: keyof TurboCacheContextValues, value: unknown): void {
    const context = currentContext();
    if (context === undefined) throw closed(String(name));
    // What was made for another tenant, user or language is not for this one.
    if (context.get(String(name)) !== value) context.memo.forget();
    context.set(String(name), value);
  },
  get isOpen(): boolean {
    return currentContext() !== undefined;
  },
});

const VALUES = "an object of values by name, e.g. { tenant: 'acme' }";

function notRun(option: string, got: unknown, expected: string): InvalidArgumentError {
  return new InvalidArgumentError(
    'E_TURBOCACHE_ARGUMENT',
    `TurboCacheContext.run(): ${option} is ${got === null ? 'null' : typeof got}; expected ${expected}.`,
    { option, got, expected },
  );
}

function closed(name: string): TurboCacheError {
  const expected = 'TurboCacheContextModule, or TurboCacheContext.run() around the call';
  return new TurboCacheError(
    'E_TURBOCACHE_ARGUMENT',
    `TurboCacheContext.set("${name}"): there is no context here; expected ${expected}.`,
    { option: name, expected },
  );
}
