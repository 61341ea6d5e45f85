/**
 * One call of `loadMissing` for many keys. Each key goes through a load of its own, with its own lease, and its loader asks
 * here; when all keys of the call are accounted for, those that asked are loaded together.
 */
import type { Loader, LoaderContext, ManyLoader } from '../../index';
import { InvalidArgumentError } from './errors';
import { show } from './option-check';
import { endLoad, runLoad } from './recursion';
import type { Space } from './space';

/**
 * A key may be loading elsewhere, and that may depend on a key for which we hold the lease: nobody may wait for all keys
 * for ever while it holds some. What has not been answered after this time is loaded in a second call, if at all.
 */
const LONGEST_GATHERING_MS = 5;
const LATE_GATHERING_MS = 1;

interface Ask<T> {
  readonly key: string;
  resolve(value: T | Promise<T>): void;
  reject(error: unknown): void;
}

const LOADERS = new WeakSet<Loader<unknown>>();

/** Whether a loader is one of many keys: the common call waits for its turn at the bulkhead, not each key. */
export function queuesForItself(loader: Loader<unknown>): boolean {
  return LOADERS.has(loader);
}

export class BulkLoad<T> {
  private asks: Ask<T>[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly space: Space,
    private readonly loadMissing: ManyLoader<T>,
    /** Keys of which it is not yet known whether they must be loaded. */
    private open: number,
  ) {}

  private readonly load = ({ key }: LoaderContext): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      this.asks.push({ key, resolve, reject });
      if (this.open > 0) this.answered();
      // Asked behind the common call: a key that was loading elsewhere and failed there, or a reload ahead of time.
      else this.timer ??= setTimeout(this.fireLate, LATE_GATHERING_MS);
      if (this.asks.length > 0) this.timer ??= setTimeout(this.fireLate, LONGEST_GATHERING_MS);
    });

  /** An event loop that was busy runs its timers before it looks at what was answered meanwhile: that is waited for. */
  private readonly fireLate = (): void => void setImmediate(this.fire);

  /** One more key is accounted for. */
  answered(): void {
    this.open--;
    if (this.open <= 0) this.fire();
  }

  private readonly fire = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const asks = this.asks;
    if (asks.length === 0) return;
    this.asks = [];

    const { bulkhead } = this.space;
    if (bulkhead === null) return this.run(asks, () => undefined);
    if (bulkhead.enter(() => this.run(asks, () => bulkhead.leave()))) return;
    this.space.tiers.shed += asks.length;
    const error = bulkhead.error(`Each of ${asks.length} keys`);
    for (const ask of asks) ask.reject(error);
  };

  private run(asks: readonly Ask<T>[], left: () => void): void {
    const keys = asks.map((ask) => ask.key);
    const held = new Set(keys);
    runLoad(
      this.space,
      (key) => held.has(key),
      (frame) => {
        void this.loadAll(keys)
          .then(
            (find) => {
              for (const [index, ask] of asks.entries()) ask.resolve(find(ask.key, index) as T);
            },
            (error: unknown) => {
              for (const ask of asks) ask.reject(error);
            },
          )
          .finally(() => {
            endLoad(frame);
            left();
          });
      },
    );
  }

  /** The loader of one key; `told` when it is asked. */
  loaderOf(told: () => void): Loader<T> {
    const loader: Loader<T> = (context) => {
      told();
      return this.load(context);
    };
    LOADERS.add(loader);
    return loader;
  }

  private async loadAll(keys: string[]): Promise<(key: string, index: number) => T | undefined> {
    const loaded: unknown = await this.loadMissing([...keys]);
    if (loaded instanceof Map) return (key) => loaded.get(key) as T | undefined;
    if (Array.isArray(loaded)) {
      if (loaded.length === keys.length) return (_, index) => loaded[index] as T | undefined;
      throw wrongResult(`an array of ${loaded.length}`, `an array of ${keys.length}, one value for each key`);
    }
    if (typeof loaded === 'object' && loaded !== null) {
      return (key) => (Object.hasOwn(loaded, key) ? (loaded as Record<string, T>)[key] : undefined);
    }
    throw wrongResult(show(loaded), 'a Map or an object by key, or an array in the order of the keys');
  }
}

function wrongResult(got: string, expected: string): InvalidArgumentError {
  const message = `loadMissing gave ${got}; expected ${expected}.`;
  return new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, { option: 'loadMissing', got, expected });
}
