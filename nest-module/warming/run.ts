/** One run of a warmer: calls in parallel up to a limit, at a pace, until there are no more or somebody ends it. */
import type { Places } from './places';

export interface WarmProgress {
  /** `Cities.find`. */
  readonly warmer: string;
  /** `startup`, a cron expression, `hottest` or `predicted`. */
  readonly trigger: string;
  readonly done: number;
  readonly failed: number;
  /** `undefined` while the arguments come one by one. */
  readonly total: number | undefined;
  /** Milliseconds since the run began. */
  readonly elapsed: number;
  readonly state: 'running' | 'ended' | 'cancelled';
}

/** Of one run. */
export interface RunLimits {
  readonly concurrency: number;
  readonly perSecond: number;
}

export interface RunParts {
  readonly warmer: string;
  readonly trigger: string;
  readonly limits: RunLimits;
  /** Those of all runs. */
  readonly places: Places;
  readonly signal: AbortSignal;
  readonly call: (args: readonly unknown[]) => Promise<unknown>;
  /** Told after each call, and at the end. */
  readonly onProgress: (progress: WarmProgress) => void;
  /** Told of each call that fails; the others go on. */
  readonly onError: (error: unknown) => void;
}

export type ArgumentLists = Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>;

/** Resolves when the run has ended; never rejects. */
export async function runWarmer(
  parts: RunParts,
  lists: () => ArgumentLists | Promise<ArgumentLists>,
): Promise<WarmProgress> {
  const run = new Run(parts);
  await run.all(lists);
  return run.end();
}

class Run {
  readonly #began = performance.now();
  readonly #running = new Set<Promise<void>>();
  #done = 0;
  #failed = 0;
  #total: number | undefined;
  /** When the next call may begin, in milliseconds since the run began. */
  #nextAt = 0;

  constructor(private readonly parts: RunParts) {}

  async all(lists: () => ArgumentLists | Promise<ArgumentLists>): Promise<void> {
    const { places, signal, onError } = this.parts;
    try {
      const all = await lists();
      if (Array.isArray(all)) this.#total = all.length;
      for await (const args of all as AsyncIterable<readonly unknown[]>) {
        await this.#turn();
        if (signal.aborted) {
          places.leave();
          break;
        }
        this.#begin(args);
      }
    } catch (error) {
      this.#failed += 1;
      onError(error);
    }
    await Promise.all(this.#running);
  }

  end(): WarmProgress {
    const progress = this.#progress(this.parts.signal.aborted ? 'cancelled' : 'ended');
    this.parts.onProgress(progress);
    return progress;
  }

  /** Waits for the other calls of this run, for the pace, and for a place among those of all runs. */
  async #turn(): Promise<void> {
    const { limits, places } = this.parts;
    while (this.#running.size >= limits.concurrency) await Promise.race(this.#running);
    if (limits.perSecond !== Infinity) await this.#pace();
    await places.take();
  }

  async #pace(): Promise<void> {
    const { limits, signal } = this.parts;
    const now = performance.now() - this.#began;
    const wait = this.#nextAt - now;
    this.#nextAt = Math.max(now, this.#nextAt) + 1_000 / limits.perSecond;
    if (wait > 0) await pause(wait, signal);
  }

  #begin(args: readonly unknown[]): void {
    const call = this.#call(args);
    this.#running.add(call);
    void call.then(() => this.#running.delete(call));
  }

  async #call(args: readonly unknown[]): Promise<void> {
    const { call, places, onError, onProgress } = this.parts;
    try {
      await call(args);
      this.#done += 1;
    } catch (error) {
      this.#failed += 1;
      onError(error);
    }
    places.leave();
    onProgress(this.#progress('running'));
  }

  #progress(state: WarmProgress['state']): WarmProgress {
    const { warmer, trigger } = this.parts;
    const elapsed = Math.round(performance.now() - this.#began);
    return { warmer, trigger, done: this.#done, failed: this.#failed, total: this.#total, elapsed, state };
  }
}

/** Ends early when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
