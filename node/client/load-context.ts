/** What a loader is told and may say. */
import type { LoaderContext, Ttl } from '../../index';
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
  skipped = false;
  private readonly load: LoadState;
  private controller: AbortController | undefined;
  private aborted = false;
  private staleTaken = false;
  private staleValue: unknown;

  constructor(
    load: LoadState,
    public tags: readonly string[],
  ) {
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

  // Own functions, not methods: loaders like to take the context apart.
  readonly setTtl = (ttl: Ttl): void => {
    this.chosenTtl = checkTtl(ARGUMENT, 'ttl', ttl);
  };
  readonly setTags = (tags: readonly string[]): void => {
    this.tags = checkTags('tags', tags);
  };
  readonly skip = (): void => {
    this.skipped = true;
  };

  abort(): void {
    this.aborted = true;
    this.controller?.abort();
  }
}
