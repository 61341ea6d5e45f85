/** Locks of one isolate: what is asked for, who holds which, and who is told that he has lost it. */
import type { Lock, LockOptions } from '../../index';
import type { Answer } from './answer';
import type { Waiting } from './completions';
import { ClosedError, InvalidArgumentError, LockError, type TurboCacheError } from './errors';
import { Flag, Op, RequestFlag, Status } from './native';
import { errorCodeOf, errorOf } from './native-errors';
import { ARGUMENT, checkNames, duration, refuse } from './option-check';
import type { RemoteWatch } from './remote-watch';
import type { Request } from './request-ring';

/** As `options::lock` in Rust. */
const LEAST_TTL_MS = 100;
const MOST_TTL_MS = 86_400_000;

export interface LockSettings {
  /** 0 = the engine's default. */
  readonly ttl: number;
  /** `Infinity` = without end, `undefined` = the engine's default. */
  readonly wait: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What a lock needs of the tiers. */
export interface LockTiers {
  readonly session: { send(request: Request, waiting: Waiting): void };
  readonly watch: RemoteWatch | undefined;
}

/** Throws an `InvalidArgumentError`. */
export function checkLockOptions(input: LockOptions | undefined): LockSettings {
  const { ttl, wait, signal } = checkNames<LockOptions>(ARGUMENT, '', input ?? {}, ['ttl', 'wait', 'signal']);
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse(ARGUMENT, 'signal', signal, 'an AbortSignal');
  return { ttl: ttl === undefined ? 0 : checkTtl(ttl), wait: checkWait(wait), signal };
}

function checkTtl(input: unknown): number {
  const ttl = duration(ARGUMENT, 'ttl', input);
  if (ttl >= LEAST_TTL_MS && ttl <= MOST_TTL_MS) return ttl;
  return refuse(ARGUMENT, 'ttl', input, `a duration of ${LEAST_TTL_MS} ms to 24 h`);
}

function checkWait(input: unknown): number | undefined {
  if (input === undefined) return undefined;
  return input === null ? Infinity : duration(ARGUMENT, 'wait', input);
}

/** The locks of this isolate. */
export class Locks {
  private readonly held = new Map<number, HeldLock>();
  private last = 0;

  take(tiers: LockTiers, namespaceId: number, key: string, { ttl, wait, signal }: LockSettings): Promise<Lock> {
    const number = ++this.last;
    return new Promise<Lock>((resolve, reject) => {
      if (signal?.aborted === true) return reject(reasonOf(signal));
      const unlock = (): Promise<boolean> => this.unlock(tiers, namespaceId, key, number);
      const unwanted = (): void => {
        void unlock();
        reject(reasonOf(signal!));
      };
      signal?.addEventListener('abort', unwanted, { once: true });
      const waiting: Waiting = {
        settle: (answer) => {
          signal?.removeEventListener('abort', unwanted);
          // Then it is being given back.
          if (signal?.aborted === true) return;
          if (answer.status === Status.Error) return reject(refusalOf(answer, key, tiers.watch));
          const lock = new HeldLock(key, answer.value().readDoubleLE(0), unlock);
          this.held.set(number, lock);
          resolve(lock);
        },
        abandon: (error) => {
          signal?.removeEventListener('abort', unwanted);
          reject(error);
        },
      };
      const flags = wait === undefined ? RequestFlag.Defaults : 0;
      tiers.session.send({ op: Op.Lock, namespaceId, key, ttl, grace: wait ?? 0, lease: number, flags }, waiting);
    });
  }

  lost(number: number): void {
    const lock = this.held.get(number);
    this.held.delete(number);
    lock?.end(lostError(lock.key));
  }

  /** The manager closes: nothing is held any more. */
  close(): void {
    for (const lock of [...this.held.values()]) {
      lock.end(new ClosedError('E_TURBOCACHE_CLOSED', 'The CacheManager was closed while the lock was held.'));
      void lock.release();
    }
  }

  private unlock(tiers: LockTiers, namespaceId: number, key: string, number: number): Promise<boolean> {
    this.held.delete(number);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        settle: (answer) => resolve(answer.status === Status.Done && answer.has(Flag.Yes)),
        abandon: () => resolve(false),
      };
      tiers.session.send({ op: Op.Unlock, namespaceId, key, lease: number }, waiting);
    });
  }
}

class HeldLock implements Lock {
  private readonly controller = new AbortController();
  private released: Promise<boolean> | undefined;

  constructor(
    readonly key: string,
    readonly fencingToken: number,
    private readonly giveBack: () => Promise<boolean>,
  ) {}

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  release(): Promise<boolean> {
    this.released ??= this.giveBack();
    return this.released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** It is not held any more, and its holder has not given it back. */
  end(why: TurboCacheError): void {
    this.controller.abort(why);
  }
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  if (reason instanceof Error) return reason;
  const message = 'The lock is not wanted any more: the signal was aborted.';
  return new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, { option: 'signal', cause: reason });
}

/** Unlike elsewhere a remote tier that fails is the caller's failure: a lock that nobody has granted is none. */
function refusalOf(answer: Answer, key: string, watch: RemoteWatch | undefined): TurboCacheError {
  const code = errorCodeOf(answer);
  const error = errorOf(answer);
  if (code === 'E_TURBOCACHE_REMOTE') watch?.failed(error.message);
  if (code !== 'E_TURBOCACHE_LOCK_TIMEOUT') return error;
  const details = { key, option: 'wait', expected: 'a free lock, or a longer wait' };
  return new LockError(code, `The lock '${key}' could not be had within \`wait\`: ${error.message}.`, details);
}

function lostError(key: string): LockError {
  const message = `The lock '${key}' was lost: it was removed, or could not be kept for as long as its ttl.`;
  return new LockError('E_TURBOCACHE_LOCK_LOST', message, { key });
}
