/** What a loader is told and may say. */
import type { LoaderContext, Ttl } from '../../index';
import { InvalidArgumentError, TurboCacheError } from './errors';
import { ARGUMENT, ttl as checkTtl } from './option-check';
import { checkTags } from './tags';

/** What the context needs to know of its load while it runs. */
export interface LoadState {
  readonly key: string;
  /** A private copy of the old value, or `undefined`. */
  takeStale(): unknown;
  /** Number of callers that still wait. */
  readonly waiters: number;
}

export class LoadContext implements LoaderContext {
  readonly key: string;
  chosenTtl: number | undefined;
  /** `undefined`: those of the options. */
  chosenTags: readonly string[] | undefined;
  skipped = false;
  /** The old value is still right. */
  unchanged = false;
  private readonly load: LoadState;
  private controller: AbortController | undefined;
  private aborted = false;
  private staleTaken = false;
  private staleValue: unknown;

  constructor(load: LoadState) {
    this.key = load.key;
    this.load = load;
  }

  // Made when it is asked for: most loaders do not, and a controller costs more than the rest of the context.
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.aborted) this.controller.abort();
    return this.controller.signal;
  }

  get stale(): unknown {
    if (!this.staleTaken) {
      this.staleTaken = true;
      this.staleValue = this.load.takeStale();
    }
    return this.staleValue;
  }

  get isBackground(): boolean {
    return this.load.waiters === 0;
  }

  // Functions that are made when they are asked for, not methods: loaders like to take the context apart, and most use none.
  get setTtl(): LoaderContext['setTtl'] {
    return (ttl: Ttl) => {
      this.chosenTtl = checkTtl(ARGUMENT, 'ttl', ttl);
    };
  }

  get setTags(): LoaderContext['setTags'] {
    return (tags: readonly string[]) => {
      this.chosenTags = checkTags('tags', tags);
    };
  }

  get skip(): LoaderContext['skip'] {
    return () => {
      this.skipped = true;
    };
  }

  get fail(): LoaderContext['fail'] {
    return (reason: unknown) => {
      if (typeof reason !== 'string') throw reason;
      throw new TurboCacheError('E_TURBOCACHE_LOADER', reason, { key: this.key });
    };
  }

  get notModified(): LoaderContext['notModified'] {
    return () => {
      if (this.load.takeStale() === undefined) throw nothingToKeep(this.key);
      this.unchanged = true;
      // The caller returns this as the value: the old one takes its place.
      return undefined as never;
    };
  }

  abort(): void {
    this.aborted = true;
    this.controller?.abort();
  }
}

function nothingToKeep(key: string): InvalidArgumentError {
  const message = `The loader of key '${key}' called notModified(), but there is no old value; expected a look at context.stale first.`;
  const expected = 'an old value in context.stale';
  return new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, { key, option: 'notModified', expected });
}
