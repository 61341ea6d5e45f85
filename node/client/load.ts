/** A load as others see it: those who wait for it, those who may join it, and the closing manager. */
import type { TurboCacheError } from './errors';
import type { Outcome } from './outcome';

/** A load that has not ended; the manager ends it when it closes. */
export interface RunningLoad {
  /** Tells the loader that its value will not be stored. */
  abort(): void;
  /** Ends it for those who wait. */
  abandon(error: TurboCacheError): void;
}

/** A load for which any number of callers wait. */
export interface SharedLoad extends RunningLoad {
  readonly key: string;
  /** Never rejects: a failure is an outcome that throws when it is taken. */
  readonly outcome: Promise<Outcome>;
  /** Whether the engine stored the value; known when the load has ended. */
  readonly stored: Promise<boolean>;
  /** Whether a call that begins now may have this load's value: nothing was invalidated since it began (law 2). */
  readonly isJoinable: boolean;
  /** Callers that still wait. */
  waiters: number;
  /** The loader runs in this isolate. */
  readonly loading: boolean;
  /** The value has tags, whose generations nobody in this isolate knows before it is stored. */
  readonly tagged: boolean;
  /** What the loader brought, if that is or was to be stored. */
  readonly brought: Outcome | undefined;
  /** The old value, once the engine has given it. */
  readonly stale: Outcome | undefined;
  /** Called when the loader starts. */
  readonly onLoading: (() => void)[];
}
