/** The promise of a plain request: a failing remote tier is not the caller's failure (law 9), everything else is. */
import type { Answer } from './answer';
import type { Waiting } from './completions';
import type { TurboCacheError } from './errors';
import { Status } from './native';
import { errorCodeOf, errorOf } from './native-errors';
import type { RemoteWatch } from './remote-watch';

export class Reply<T> implements Waiting {
  constructor(
    private readonly read: (answer: Answer) => T,
    private readonly ifRemoteFails: T,
    private readonly watch: RemoteWatch | undefined,
    private readonly resolve: (value: T) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  settle(answer: Answer): void {
    if (answer.status === Status.Error) return this.fail(answer);
    try {
      this.resolve(this.read(answer));
    } catch (error) {
      this.reject(error);
    }
  }

  abandon(error: TurboCacheError): void {
    this.reject(error);
  }

  private fail(answer: Answer): void {
    const error = callersFailure(answer, this.watch);
    if (error === undefined) this.resolve(this.ifRemoteFails);
    else this.reject(error);
  }
}

/** One promise for many reads: a promise and two functions for each of them would cost as much as its decoding. */
export class ManyReads<T> {
  /** Reads without an answer, and one for who still asks. */
  private left = 1;

  constructor(
    private readonly values: (T | undefined)[],
    /** `undefined` for a miss. */
    private readonly read: (answer: Answer, index: number) => T | undefined,
    private readonly watch: RemoteWatch | undefined,
    private readonly resolve: (values: (T | undefined)[]) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  /** Waits for the value of this index. */
  waitFor(index: number): Waiting {
    this.left++;
    return new OneOfMany(this, index);
  }

  /** A read was answered; or all have been asked. */
  arrived(): void {
    if (--this.left === 0) this.resolve(this.values);
  }

  settle(index: number, answer: Answer): void {
    if (answer.status === Status.Error) {
      const error = callersFailure(answer, this.watch);
      if (error !== undefined) return this.fail(error);
    } else {
      try {
        this.values[index] = this.read(answer, index);
      } catch (error) {
        return this.fail(error);
      }
    }
    this.arrived();
  }

  /** The others may still come; nobody waits for them. */
  fail(error: unknown): void {
    this.reject(error);
  }
}

class OneOfMany implements Waiting {
  constructor(
    private readonly reads: Pick<ManyReads<unknown>, 'settle' | 'fail'>,
    private readonly index: number,
  ) {}

  settle(answer: Answer): void {
    this.reads.settle(this.index, answer);
  }

  abandon(error: TurboCacheError): void {
    this.reads.fail(error);
  }
}

/** The error that is the caller's; `undefined` for a remote tier that fails, which is told to those who watch it. */
function callersFailure(answer: Answer, watch: RemoteWatch | undefined): TurboCacheError | undefined {
  if (errorCodeOf(answer) !== 'E_TURBOCACHE_REMOTE') return errorOf(answer);
  watch?.failed(answer.value().toString());
  return undefined;
}
