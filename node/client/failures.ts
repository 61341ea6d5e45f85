/**
 * Errors of loaders that are remembered for `errorTtl`: whoever asks meanwhile gets the very same error, and no loader runs.
 * Each isolate remembers its own. What makes a value old ends the memory of its failure, too.
 */
import type { Captured } from './hot-tier';

interface Failure {
  readonly error: unknown;
  /** On the engine's clock, wrapping at 32 bits. */
  readonly until: number;
  readonly captured: Captured;
}

/** More than this are forgotten at once: each costs one more call of a loader, nothing else. */
const MOST = 10_000;

export class Failures {
  private readonly byKey = new Map<string, Failure>();

  /** The failure of this key, if it is still remembered. `captured`: the generations now. */
  find(key: string, now: number, captured: Captured): Failure | undefined {
    if (this.byKey.size === 0) return undefined;
    const failure = this.byKey.get(key);
    if (failure === undefined) return undefined;
    const { until, captured: then } = failure;
    const stands = then.generation === captured.generation && then.namespaceGeneration === captured.namespaceGeneration;
    if (stands && ((until - now) | 0) > 0) return failure;
    this.byKey.delete(key);
    return undefined;
  }

  /** `captured`: the generations as they stood before the loader ran. */
  remember(key: string, error: unknown, until: number, captured: Captured): void {
    if (this.byKey.size >= MOST) this.byKey.clear();
    this.byKey.set(key, { error, until, captured });
  }

  forget(key: string): void {
    if (this.byKey.size > 0) this.byKey.delete(key);
  }
}
