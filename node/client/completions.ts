/**
 * The way out: hands each completion to whoever asked. One wake-up drains many; at most 1,024 completions or 2 ms, then the
 * event loop gets its turn. While somebody waits, the event loop is kept alive; while nobody does, the process may exit.
 */
import type { Answer } from './answer';
import type { TurboCacheError } from './errors';
import { Status, Word } from './native';

/** Somebody who waits for a completion. Exactly one of `settle` and `abandon` is called, once and last. */
export interface Waiting {
  /** How far it is; the request goes on. `answer` is only valid during the call. */
  progress?(answer: Answer): void;
  /** `answer` is only valid during the call. */
  settle(answer: Answer): void;
  /** The session ended without an answer. */
  abandon(error: TurboCacheError): void;
}

/** What the drain has to tell that no request waits for. */
export interface Unasked {
  /** `answer` is only valid during the call. */
  adapterBatch(answer: Answer): void;
  /** A lock with this number was lost. */
  lockLost(number: number): void;
  /** The session's last completion. */
  ended(): void;
  /** The last request was answered. */
  idle(): void;
  /** A defect in this client or in a user's serializer that nobody catches nearer. */
  defect(error: unknown): void;
}

const MOST_AT_ONCE = 1_024;
const LONGEST_MS = 2;
/** Completions between two looks at the clock. */
const STRIDE = 32;

export class Completions {
  private readonly waiting: (Waiting | null)[] = [null];
  private readonly freeIds: number[] = [];
  private count = 0;
  /** Of the batch in the buffer: completions left, and where the next begins. */
  private left = 0;
  private at = 0;
  private draining = false;
  private continues = false;

  constructor(
    private readonly answer: Answer,
    /** Fills the buffer with a batch; its size. */
    private readonly fetch: () => number,
    private readonly unasked: Unasked,
    private readonly keepAlive: { ref(): void; unref(): void },
  ) {}

  /** Number of requests that wait for their completion. */
  get size(): number {
    return this.count;
  }

  /** An id for a request whose completion goes to `waiting`. 0 is never given. */
  register(waiting: Waiting): number {
    const id = this.freeIds.pop() ?? this.waiting.length;
    this.waiting[id] = waiting;
    if (this.count++ === 0) this.keepAlive.ref();
    return id;
  }

  /**
   * Delivers what has completed. What is called here may call anything: a call of `drain` from within returns at once, and
   * the outer one goes on until nothing is left.
   */
  drain = (): void => {
    if (this.draining || this.continues) return;
    this.draining = true;
    const deadline = performance.now() + LONGEST_MS;
    try {
      for (let delivered = 0; this.left > 0 || this.refill();) {
        this.deliverNext();
        if (++delivered >= MOST_AT_ONCE || (delivered % STRIDE === 0 && performance.now() > deadline)) {
          this.continueLater();
          return;
        }
      }
    } finally {
      this.draining = false;
    }
  };

  /** Ends every wait. */
  abandonAll(error: TurboCacheError): void {
    for (let id = 1; id < this.waiting.length; id++) {
      if (this.waiting[id]) this.release(id)?.abandon(error);
    }
  }

  private refill(): boolean {
    this.left = this.fetch();
    this.at = 0;
    return this.left > 0;
  }

  private deliverNext(): void {
    const answer = this.answer;
    answer.moveTo(this.at);
    this.left--;
    this.at += answer.length;
    try {
      this.deliver(answer);
    } catch (error) {
      this.unasked.defect(error);
    }
  }

  private deliver(answer: Answer): void {
    if (answer.status === Status.Adapter) return this.unasked.adapterBatch(answer);
    if (answer.status === Status.Lost) return this.unasked.lockLost(answer.lease);
    const id = answer.word(Word.RequestId);
    if (id === 0) return this.unasked.ended();
    if (answer.status === Status.Progress) return this.waiting[id]?.progress?.(answer);
    const waiting = this.release(id);
    if (waiting === null) return;
    waiting.settle(answer);
    if (this.count === 0) this.unasked.idle();
  }

  private release(id: number): Waiting | null {
    const waiting = this.waiting[id] ?? null;
    if (waiting === null) return null;
    this.waiting[id] = null;
    this.freeIds.push(id);
    if (--this.count === 0) this.keepAlive.unref();
    return waiting;
  }

  private continueLater(): void {
    this.continues = true;
    setImmediate(() => {
      this.continues = false;
      this.drain();
    });
  }
}
