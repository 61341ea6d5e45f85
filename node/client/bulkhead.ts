/**
 * So many loaders of one cache run at a time (bulkhead: Nygard, *Release It!*), so that a slow origin does not take all of a
 * process. Who comes too many waits in a row; when that is full, he is turned away.
 */
import { OverloadedError } from './errors';

export interface BulkheadLimits {
  /** `null` = no limit. */
  readonly maxConcurrent: number | null;
  readonly maxQueued: number;
}

export class Bulkhead {
  private running = 0;
  /** A set keeps the order and gives its first in constant time. */
  private readonly queued = new Set<() => void>();

  constructor(
    readonly maxConcurrent: number,
    readonly maxQueued: number,
  ) {}

  /** Whether a loader would have to wait. */
  get isFull(): boolean {
    return this.running >= this.maxConcurrent;
  }

  /** Runs it now or later; who has run calls {@link leave}. `false` = never, because too many wait. */
  enter(run: () => void): boolean {
    if (!this.isFull) {
      this.running++;
      run();
      return true;
    }
    if (this.queued.size >= this.maxQueued) return false;
    this.queued.add(run);
    return true;
  }

  /** A loader has ended: the next one runs. */
  leave(): void {
    const [next] = this.queued;
    if (next === undefined) {
      this.running--;
      return;
    }
    this.queued.delete(next);
    next();
  }

  error(what: string): OverloadedError {
    const { maxConcurrent, maxQueued } = this;
    const message = `${what} was not loaded, because ${maxConcurrent} loaders of its cache run (bulkhead.maxConcurrent) and ${maxQueued} loads wait (bulkhead.maxQueued).`;
    const expected = `at most ${maxConcurrent + maxQueued} loads at a time`;
    return new OverloadedError('E_TURBOCACHE_OVERLOADED', message, { option: 'bulkhead', expected });
  }
}
