/** The manager's events: what fails without a caller to tell it to. Once per change of state, not per call (law 9). */
import type { EventEmitter } from 'node:events';
import type { CacheManagerEvents } from '../../index';
import { TurboCacheError } from './errors';

export class Reports {
  constructor(private readonly emitter: EventEmitter<CacheManagerEvents>) {}

  /**
   * Emits in a tick of its own: a listener must not run in the middle of a drain or of somebody's call. Without a
   * listener nothing is emitted, because an unheard `error` event would throw.
   */
  error(error: TurboCacheError): void {
    process.nextTick(() => {
      if (this.emitter.listenerCount('error') > 0) this.emitter.emit('error', error);
    });
  }

  warning(error: TurboCacheError): void {
    process.nextTick(() => this.emitter.emit('warning', error));
  }

  warnings(errors: readonly TurboCacheError[]): void {
    for (const error of errors) this.warning(error);
  }

  /** Something that should have been caught nearer. */
  defect(cause: unknown): void {
    this.error(
      cause instanceof TurboCacheError
        ? cause
        : new TurboCacheError('E_TURBOCACHE_NATIVE', 'An answer of the engine could not be processed.', { cause }),
    );
  }
}

/** A condition that is good or bad; reports each change to bad. */
export class Condition {
  private bad = false;

  constructor(private readonly report: (error: TurboCacheError) => void) {}

  failed(error: () => TurboCacheError): void {
    if (this.bad) return;
    this.bad = true;
    this.report(error());
  }

  recovered(): void {
    this.bad = false;
  }
}
