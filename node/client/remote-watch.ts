/**
 * Watches whether the remote tier is there, and reports each change to `down`. Its state is the engine's, in the counters:
 * a single failure is counted there, and no event. Looking once a second is simple, costs microseconds, and also notices
 * what no call ran into.
 */
import { RemoteError } from './errors';
import type { Reports } from './reports';
import type { NativeStats } from './session';

type Remote = Pick<NativeStats['remote'], 'state' | 'warnings'>;

const WATCH_MS = 1_000;
const READY_POLL_MS = 10;

export class RemoteWatch {
  private readonly timer: NodeJS.Timeout;
  private reportedDown = false;
  /** What the warnings that stand, and were reported, are about. */
  private warned = new Set<string>();

  constructor(
    private readonly remote: () => Remote,
    private readonly reports: Reports,
  ) {
    this.timer = setInterval(() => this.look(), WATCH_MS);
    this.timer.unref();
  }

  /** A call ran into a failure of the remote tier: if that has made it `down`, it is reported now, not a second later. */
  failed(message: string): void {
    this.look(message);
  }

  /** Resolves when the remote tier answers; when `gone()`; or after `limit` milliseconds. */
  async firstAnswer(limit: number, gone: () => boolean): Promise<'up' | 'gone' | 'late'> {
    const deadline = performance.now() + limit;
    for (;;) {
      if (gone()) return 'gone';
      if (this.remote().state === 'up') return 'up';
      if (performance.now() >= deadline) return 'late';
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(
    message = 'The remote tier does not answer; calls go on without it, and it is tried again in the background.',
  ): void {
    const { state, warnings } = this.remote();
    this.warn(warnings);
    if (state === 'up') this.reportedDown = false;
    if (state !== 'down' || this.reportedDown) return;
    this.reportedDown = true;
    this.reports.error(new RemoteError('E_TURBOCACHE_REMOTE', message));
  }

  private warn(warnings: Remote['warnings']): void {
    if (warnings.length === 0 && this.warned.size === 0) return;
    for (const { code, about, message, expected } of warnings) {
      if (!this.warned.has(about)) {
        this.reports.warning(new RemoteError(code, message, { option: about, got: message, expected }));
      }
    }
    this.warned = new Set(warnings.map(({ about }) => about));
  }
}
