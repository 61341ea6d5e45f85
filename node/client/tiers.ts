/** What all caches of a manager share: the session with the engine, the hot tier, the limits, the running loads. */
import type { CacheStats } from '../../index';
import { HotTier } from './hot-tier';
import { RemoteError } from './errors';
import type { RunningLoad } from './load';
import { Locks } from './locks';
import type { NativeBinding } from './native';
import type { ManagerOptions } from './options';
import { RemoteWatch } from './remote-watch';
import type { Reports } from './reports';
import { closedError, Session } from './session';

/** `close` waits no longer than this for loaders and for the engine's last writes, each. */
const CLOSE_LIMIT_MS = 5_000;
/** Loaded values that wait in the hot tier for their second reader: far fewer than are loaded between two garbage collections. */
const MOST_ON_TRIAL = 64;

export class Tiers {
  readonly session: Session;
  readonly hot: HotTier;
  readonly hasHot: boolean;
  readonly hasMemory: boolean;
  /** There is a tier below L1, so that a miss of L1 says nothing yet. */
  readonly hasRemote: boolean;
  /** The keys of the remote tier lie on several servers, which keep no common order. */
  readonly isCluster: boolean;
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  /** Longest time that one command of the remote tier takes; 0 without one. */
  readonly remoteLimit: number;
  /** Loads that have not ended, those that nobody waits for included. */
  readonly loads = new Set<RunningLoad>();
  readonly watch: RemoteWatch | undefined;
  readonly locks = new Locks();
  /** Values that could not be decoded. */
  damaged = 0;
  /** Loads that a bulkhead turned away. */
  shed = 0;
  closed = false;

  private onIdle: (() => void) | undefined;

  constructor(
    binding: NativeBinding,
    private readonly options: ManagerOptions,
    readonly reports: Reports,
    readonly random: () => number,
  ) {
    this.hasHot = options.hot !== null;
    this.hasMemory = options.native.memory !== null;
    this.hasRemote = options.native.redis !== null || options.native.adapter;
    this.isCluster = options.native.redis !== null && 'cluster' in options.native.redis;
    this.maxKeyBytes = options.native.maxKeyBytes;
    this.maxValueBytes = options.native.maxValueBytes;
    this.remoteLimit = this.hasRemote ? options.redis.commandTimeout : 0;
    this.session = new Session(binding, options.native, options.adapter, {
      clash: (error) => reports.warning(error),
      defect: (error) => reports.defect(error),
      lockLost: (number) => this.locks.lost(number),
      idle: () => this.noticeIdle(),
      sweep: () => this.hot.sweepIfDue(),
    });
    const hotLimits = options.hot ?? { maxEntries: 0, maxBytes: 0 };
    const onTrial = this.hasMemory ? Math.min(MOST_ON_TRIAL, hotLimits.maxEntries >> 3) : 0;
    this.hot = new HotTier(this.session.mirror, this.session.mirrorIndices, hotLimits, onTrial);
    this.watch = this.hasRemote ? new RemoteWatch(() => this.session.stats().remote, reports) : undefined;
  }

  /** A load has ended. */
  land(load: RunningLoad): void {
    this.loads.delete(load);
    if (this.loads.size === 0) this.noticeIdle();
  }

  stats(): CacheStats {
    const { hits, misses, entries, bytes, evictions } = this.hot;
    const native = this.session.stats();
    const remote = { ...native.remote, rejected: native.remote.rejected + this.damaged };
    const loads = { ...native.loads, shed: this.shed };
    return { hot: { hits, misses, entries, bytes, evictions }, ...native, remote, loads };
  }

  /** Call once. */
  async close(): Promise<void> {
    this.closed = true;
    this.hot.close();
    for (const load of this.loads) load.abort();
    this.locks.close();
    await this.idle(CLOSE_LIMIT_MS);
    for (const load of this.loads) load.abandon(closedError());
    this.watch?.stop();
    await this.session.close(CLOSE_LIMIT_MS);
    try {
      await this.options.adapter?.close?.();
    } catch (error) {
      const message = `The adapter could not be closed: ${error instanceof Error ? error.message : String(error)}`;
      this.reports.error(new RemoteError('E_TURBOCACHE_REMOTE', message, { cause: error }));
    }
  }

  private get isIdle(): boolean {
    return this.loads.size === 0 && this.session.waiting === 0;
  }

  private async idle(limit: number): Promise<void> {
    if (this.isIdle) return;
    this.session.flush();
    await new Promise<void>((resolve) => {
      const giveUp = setTimeout(resolve, limit);
      this.onIdle = () => {
        clearTimeout(giveUp);
        resolve();
      };
    });
  }

  private noticeIdle(): void {
    if (this.isIdle) this.onIdle?.();
  }
}
