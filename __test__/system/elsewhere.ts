/** A manager in another process or in a worker thread, and functions that run there, beside it. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { CacheManager, CacheManagerOptions, TurboCacheErrorCode } from '../../index';
import { runFile, type Ending, type Script } from '../rig/processes';
import { until } from '../rig/until';

export { until };

/** An error that has crossed a boundary. */
export interface PlainError {
  name: string;
  message: string;
  code?: TurboCacheErrorCode;
  cause?: PlainError;
}

/** What a function that runs elsewhere gets first; it may keep things here between two calls. */
export interface Scope {
  turbocache: typeof import('../../index');
  require: NodeJS.Require;
  manager: CacheManager;
  /** Makes another manager; its `error` events are collected too. */
  open(options?: CacheManagerOptions): CacheManager;
  /** The `error` events so far. */
  errors: PlainError[];
  /** For loaders to count with. */
  loads: number;
  [kept: string]: any;
}

interface Answer {
  id: number;
  value?: unknown;
  failure?: PlainError;
}

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The part that processes and workers have in common: requests by number. */
abstract class Elsewhere {
  readonly #waiting = new Map<number, { resolve: (value: any) => void; reject: (cause: unknown) => void }>();
  #last = 0;

  /**
   * Runs `code` there: its source text is sent, so it sees its arguments and nothing around it. A failure there fails
   * here, with its code.
   */
  run<A extends unknown[], R>(code: (scope: Scope, ...args: A) => R, ...args: A): Promise<Awaited<R>> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.post({ id, source: code.toString(), args });
    });
  }

  protected abstract post(request: unknown): void;

  protected answered({ id, value, failure }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure === undefined) waiting?.resolve(value);
    else waiting?.reject(Object.assign(new Error(failure.message), failure));
  }

  protected ended(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
  }
}

/** Another process. It is killed when the test's process ends. */
export class Process extends Elsewhere {
  readonly #script: Script;

  /** `options`: of its manager; `null` for none. */
  constructor(options: CacheManagerOptions | null = null) {
    super();
    this.#script = runFile(program('process-program.mjs'), { args: [serialize(options).toString('base64')] });
    void this.#read();
  }

  get pid(): number {
    return this.#script.pid!;
  }

  kill(signal?: NodeJS.Signals): void {
    this.#script.kill(signal);
  }

  /** Kills it, and waits until it is gone. */
  async end(): Promise<void> {
    this.kill('SIGKILL');
    await this.#script.exit().catch(() => {});
  }

  /** Waits for its end, without asking for it: it must end by itself once its input has ended. */
  exit(within?: number): Promise<Ending> {
    this.#script.endInput();
    return this.#script.exit(within);
  }

  protected post(request: unknown): void {
    this.#script.send(serialize(request).toString('base64'));
  }

  async #read(): Promise<void> {
    try {
      for (;;) this.answered(deserialize(Buffer.from(await this.#script.line(), 'base64')) as Answer);
    } catch (cause) {
      this.ended(String(cause));
    }
  }
}

/** A worker thread of this process. */
export class Isolate extends Elsewhere {
  readonly worker: Worker;

  /** `options`: of its manager; `null` for none. */
  constructor(options: CacheManagerOptions | null = null) {
    super();
    this.worker = new Worker(program('worker-program.mjs'), { workerData: options });
    this.worker.on('message', (answer: Answer) => this.answered(answer));
    this.worker.on('error', (cause) => this.ended(`the worker failed: ${String(cause)}`));
    this.worker.on('exit', () => this.ended('the worker has ended'));
  }

  /** Ends it wherever it is. */
  async terminate(): Promise<void> {
    await this.worker.terminate();
  }

  protected post(request: unknown): void {
    this.worker.postMessage(request);
  }
}

/** What `promise` becomes, if that happens within `limit` milliseconds; else a failure that names what was awaited. */
export async function within<T>(limit: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${limit} ms`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves when every one of them hears what the others say. Until a manager does, reads on their way may end as misses:
 * whatever was said before is unknown.
 */
export async function hearEachOther(...all: Process[]): Promise<void> {
  await until('all hear each other', async () => {
    for (const process of all) await process.run(({ manager }) => manager.delete('is anybody there'));
    const heard = all.map((process) => process.run(({ manager }) => manager.stats().invalidations.received > 0));
    return (await Promise.all(heard)).every(Boolean);
  });
}

/** The same for a manager of this process; `speaker` says something in its namespace. */
export async function hears(manager: CacheManager, speaker: Process, options: CacheManagerOptions): Promise<void> {
  const speak = async (scope: Scope, options: CacheManagerOptions): Promise<void> => {
    const manager = scope.open(options);
    await manager.delete('is anybody there');
    await manager.close();
  };
  await until('the manager hears the bus', async () => {
    await speaker.run(speak, options);
    return manager.stats().invalidations.received > 0;
  });
}

/**
 * Resolves when `listener` has heard everything that `speaker` has said up to now: messages of the bus come in their order, and what
 * Redis itself tells comes before its next reply. Both hear each other already.
 */
export async function hasHeardAll(listener: Process, speaker: Process): Promise<void> {
  const last = randomUUID();
  const holds = ({ manager }: Scope, last: string): boolean => manager.peek(last) !== undefined;
  await until('the listener holds something', () =>
    listener.run(async ({ manager }, last) => {
      await manager.set(last, 1, { tags: [last] });
      return manager.peek(last) !== undefined;
    }, last),
  );
  // No key of Redis is changed under that name: only the bus can tell of it.
  await speaker.run(({ manager }, last) => manager.invalidateTags([last]), last);
  await until('the last message is heard', async () => !(await listener.run(holds, last)));
  await listener.run(({ manager }) => manager.has('a round trip behind all of it'));
}
