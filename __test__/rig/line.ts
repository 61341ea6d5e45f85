/** One direction of a connection: bytes leave in the order in which they came, however long some of them are held. */
import type { Socket } from 'node:net';

/** Bytes that wait until they may go; whatever is behind them waits too. */
export interface Parcel {
  bytes: Buffer;
  isReady: boolean;
}

/** Bytes that are ready at the same moment leave in one chunk. */
export class Line {
  readonly #queue: Parcel[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #trickles = false;

  constructor(
    readonly to: Socket,
    /** So many bytes every millisecond, instead of all at once; `0` for all. */
    readonly trickle: () => number,
  ) {}

  /** Bytes that go as soon as those before them have gone, after `delay` milliseconds at the earliest. */
  add(bytes: Buffer, delay = 0): void {
    const parcel = this.hold(bytes);
    if (delay === 0) return this.release(parcel);
    this.#later(delay, () => this.release(parcel));
  }

  /** Bytes that wait for `release`. */
  hold(bytes: Buffer): Parcel {
    const parcel: Parcel = { bytes, isReady: false };
    this.#queue.push(parcel);
    return parcel;
  }

  release(parcel: Parcel): void {
    parcel.isReady = true;
    this.#flush();
  }

  end(): void {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#queue.length = 0;
  }

  #flush(): void {
    if (this.#trickles) return;
    const ready = this.#queue.findIndex((parcel) => !parcel.isReady);
    const leaving = this.#queue.splice(0, ready < 0 ? this.#queue.length : ready);
    if (leaving.length === 0 || this.to.destroyed) return;
    const bytes = leaving.length === 1 ? leaving[0]!.bytes : Buffer.concat(leaving.map((parcel) => parcel.bytes));
    if (this.trickle() === 0) return void this.to.write(bytes);
    this.#trickles = true;
    this.#drip(bytes);
  }

  #drip(bytes: Buffer): void {
    const size = this.trickle() || bytes.length;
    if (!this.to.destroyed) this.to.write(bytes.subarray(0, size));
    this.#later(1, () => {
      if (size < bytes.length) return this.#drip(bytes.subarray(size));
      this.#trickles = false;
      this.#flush();
    });
  }

  #later(delay: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, delay);
    this.#timers.add(timer);
  }
}
