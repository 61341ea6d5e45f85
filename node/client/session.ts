/** One open engine as this isolate sees it: the buffers, the mirror, the ring in, the completions out. */
import type { CacheStats } from '../../index';
import { AdapterHost } from './adapter-host';
import { Answer } from './answer';
import { Completions, type Waiting } from './completions';
import { ClosedError, type TurboCacheError } from './errors';
import type { MirrorIndices } from './hot-tier';
import { clashOf, errorFromThrown } from './native-errors';
import type { NativeBinding, NativeOptions, NativeSession, ReadStatus } from './native';
import { RequestRing, type Request } from './request-ring';
import type { ICacheAdapter } from '../../index';

/** Room for the pairs of 64 tags on 16 levels of namespaces. */
const TAG_PAIRS_BYTES = 64 * 16 * 8;
const COMPLETE_BYTES = 256 << 10;
/** See `HotTier.sweepIfDue`. */
const SWEEP_MS = 10_000;

export type NativeStats = Omit<CacheStats, 'hot' | 'loads'> & { readonly loads: Omit<CacheStats['loads'], 'shed'> };

export interface SessionHooks {
  /** Another manager of this process has opened the namespace with other options. */
  clash(error: TurboCacheError): void;
  defect(error: unknown): void;
  /** The lock with this number was lost. */
  lockLost(number: number): void;
  /** No request waits any more. */
  idle(): void;
  /** Called every few seconds. */
  sweep(): void;
}

export class Session {
  readonly mirror: Int32Array;
  /** Of the engine's clock, and of the pulse. */
  readonly mirrorIndices: MirrorIndices;
  /** The answer of the last `read` or `leaseHere`. */
  readonly answer: Answer;

  private readonly native: NativeSession;
  private readonly ring: RequestRing;
  private readonly completions: Completions;
  private readonly timer: NodeJS.Timeout;
  private readonly adapterHost: AdapterHost;
  private flushIsScheduled = false;
  private ended: (() => void) | undefined;
  private lastStats: NativeStats | undefined;

  constructor(
    binding: NativeBinding,
    options: NativeOptions,
    adapter: ICacheAdapter | undefined,
    private readonly hooks: SessionHooks,
  ) {
    const layout = binding.layout();
    const readBytes = layout.headerBytes + TAG_PAIRS_BYTES + layout.inlineBytes;
    const read = new ArrayBuffer((readBytes + 7) & ~7);
    const complete = new ArrayBuffer((Math.max(COMPLETE_BYTES, 2 * readBytes) + 7) & ~7);
    this.mirror = new Int32Array(new SharedArrayBuffer(4 * layout.mirrorLength));
    this.mirrorIndices = layout;

    const takeLarge = (requestId: number): Uint8Array => this.native.takeLarge(requestId);
    this.answer = new Answer(read, layout.headerBytes, takeLarge);
    // Unreferenced except while requests wait: then it is what keeps the process from ending under them.
    this.timer = setInterval(() => hooks.sweep(), SWEEP_MS);
    this.timer.unref();
    this.completions = new Completions(
      new Answer(complete, layout.headerBytes, takeLarge),
      () => (this.isOver ? 0 : this.native.drain()),
      {
        adapterBatch: (answer) => this.adapterHost.handle(answer),
        lockLost: (number) => hooks.lockLost(number),
        ended: () => this.ended?.(),
        idle: () => hooks.idle(),
        defect: (error) => hooks.defect(error),
      },
      this.timer,
    );
    this.ring = new RequestRing(layout.headerBytes, this.submit, this.scheduleFlush);
    try {
      const buffers = { mirror: this.mirror, read: new Uint8Array(read), complete: new Uint8Array(complete) };
      this.native = binding.open(JSON.stringify(options), buffers, this.completions.drain);
    } catch (thrown) {
      clearInterval(this.timer);
      throw errorFromThrown(thrown);
    }
    for (const clash of this.native.clashes()) hooks.clash(clashOf(clash));
    this.adapterHost = new AdapterHost(adapter, (batchId, items, error) => {
      if (!this.isOver) this.native.adapterReply(batchId, items, error);
    });
  }

  private get isOver(): boolean {
    return this.lastStats !== undefined;
  }

  /** Number of requests without an answer. */
  get waiting(): number {
    return this.completions.size;
  }

  openNamespace(path: string, serializerId: number): { id: number; generationIndex: number } {
    const id = this.native.openNamespace(path, serializerId);
    return { id, generationIndex: this.native.namespaceIndex(id) };
  }

  /** Reads L1 at once. What was requested before is handed over first: a program sees its own writes in its own order. */
  read(namespaceId: number, key: string): ReadStatus {
    this.ring.flush();
    return this.native.read(namespaceId, key);
  }

  /** Begins a load that nobody outside of this process hears of. The lease, and what was captured, are in `answer`. */
  leaseHere(namespaceId: number, key: string): void {
    this.ring.flush();
    this.native.leaseHere(namespaceId, key);
  }

  /** Sends a request; the completion goes to `waiting`. */
  send(request: Request, waiting: Waiting): void {
    if (this.isOver) waiting.abandon(closedError());
    else this.ring.write(this.completions.register(waiting), request);
  }

  /** Sends a request that is not answered. */
  tell(request: Request): void {
    if (!this.isOver) this.ring.write(0, request);
  }

  /** Hands over now what was requested, so that generations are bumped before this returns. */
  flush(): void {
    this.ring.flush();
  }

  stats(): NativeStats {
    return this.lastStats ?? (JSON.parse(this.native.stats()) as NativeStats);
  }

  /** Ends the session; resolves when all writes have reached L2, or after `limit` milliseconds. Call once. */
  async close(limit: number): Promise<void> {
    this.ring.flush();
    this.timer.ref();
    await new Promise<void>((resolve) => {
      const giveUp = setTimeout(resolve, limit);
      this.ended = () => {
        clearTimeout(giveUp);
        resolve();
      };
      this.native.close();
      this.completions.drain();
    });
    this.lastStats = JSON.parse(this.native.stats()) as NativeStats;
    clearInterval(this.timer);
    this.native.end();
    this.completions.abandonAll(closedError());
  }

  private readonly submit = (requests: Uint8Array, bytes: number, count: number): void => {
    try {
      // What completed at once is delivered in a turn of its own: this may run in the middle of a synchronous call.
      if (this.native.submit(requests, bytes, count) > 0) process.nextTick(this.completions.drain);
    } catch (defect) {
      // The two sides disagree about the contract. Nobody may wait for ever, and the process must not die of it.
      this.hooks.defect(defect);
      this.completions.abandonAll(closedError());
    }
  };

  private readonly scheduleFlush = (): void => {
    if (this.flushIsScheduled) return;
    this.flushIsScheduled = true;
    process.nextTick(() => {
      this.flushIsScheduled = false;
      this.ring.flush();
    });
  };
}

export function closedError(): TurboCacheError {
  return new ClosedError('E_TURBOCACHE_CLOSED', 'This CacheManager is closed; expected no calls after close().');
}
