/**
 * Watches whether the remote tier is there. Its state is the engine's, in the counters; looking at it once a second is
 * simple, costs microseconds, and also notices what no call ran into.
 */
import { RemoteError } from './errors';
import type { Reports } from './reports';
import type { NativeStats } from './session';

type State = NativeStats['remote']['state'];

const WATCH_MS = 1_000;
const READY_POLL_MS = 10;

export class RemoteWatch {
  private readonly timer: NodeJS.Timeout;
  private reportedDown = false;

  constructor(
    private readonly state: () => State,
    private readonly reports: Reports,
  ) {
    this.timer = setInterval(() => this.look(), WATCH_MS);
    this.timer.unref();
  }

  /** A call ran into a failure of the remote tier: it is reported now, not a second later. */
  failed(message: string): void {
    if (this.reportedDown) return;
    this.reportedDown = true;
    this.reports.error(new RemoteError('E_TURBOCACHE_REMOTE', message));
  }

  /** Resolves when the remote tier answers; when `gone()`; or after `limit` milliseconds. */
  async firstAnswer(limit: number, gone: () => boolean): Promise<'up' | 'gone' | 'late'> {
    const deadline = performance.now() + limit;
    for (;;) {
      if (gone()) return 'gone';
      if (this.state() === 'up') return 'up';
      if (performance.now() >= deadline) return 'late';
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const state = this.state();
    if (state === 'up') this.reportedDown = false;
    else if (state === 'down')
      this.failed('The remote tier does not answer; calls go on without it, and it is tried again in the background.');
  }
}
