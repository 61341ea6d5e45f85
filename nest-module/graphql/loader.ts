/** DataLoaders on the cache: one for each GraphQL context, backed by one read of the cache and one load of what it lacks. */
import type { Cache, EntryOptions } from '../client';
import { ConfigurationError } from '../client';
import { currentTransaction, isInTransaction } from '../eviction/transaction';
import { CHECKS, FRESHNESS, type OptionName } from '../decorators/check-options';
import { checkCache, checkObject } from '../module/check-options';
import { loadPeer } from '../peer/load-peer';

/** The part of a DataLoader that resolvers use. */
export interface ContextLoader<Id, Value> {
  load(id: Id): Promise<Value>;
  loadMany(ids: readonly Id[]): Promise<(Value | Error)[]>;
  /** Forgets what this context has loaded; the cache is not asked to forget. */
  clear(id: Id): this;
  clearAll(): this;
}

export interface TurboCacheLoaderOptions<Id, Value> extends EntryOptions {
  /** The key of an id: `(id) => `user:${id}``. */
  key: (id: Id) => string;
  /** Loads what the cache lacks. An `Error` in place of a value rejects that id alone; `undefined` is not stored. */
  load: (ids: Id[]) => Promise<readonly (Value | Error | undefined)[]>;
  /** Ids of one batch at most. @default no limit */
  maxBatchSize?: number;
}

type DataLoaderClass = new <Id, Value>(
  batch: (ids: readonly Id[]) => Promise<readonly (Value | Error)[]>,
  options: { cacheKeyFn: (id: Id) => string; maxBatchSize?: number },
) => ContextLoader<Id, Value>;

/**
 * Within one context every id is asked for once, as with any DataLoader; across contexts and processes the cache answers.
 * What one context has loaded is not seen to become old in that context: a context is a request. A database transaction is a
 * context of its own, and what it loads is stored nowhere else.
 */
export class TurboCacheLoader<Id, Value> {
  readonly #cache: Cache;
  readonly #options: TurboCacheLoaderOptions<Id, Value>;
  readonly #entry: EntryOptions;
  readonly #DataLoader: DataLoaderClass;
  readonly #loaders = new WeakMap<object, ContextLoader<Id, Value>>();

  constructor(cache: Cache, options: TurboCacheLoaderOptions<Id, Value>) {
    checkCache('TurboCacheLoader', cache);
    checkObject('TurboCacheLoader', 'options', options);
    const { key, load, maxBatchSize, ...entry } = options;
    checkFunction('key', key);
    checkFunction('load', load);
    checkBatchSize(maxBatchSize);
    checkEntry(entry);
    this.#cache = cache;
    this.#options = options;
    this.#entry = entry;
    const loaded = loadPeer<DataLoaderClass | { default: DataLoaderClass }>({
      name: 'dataloader',
      feature: 'TurboCacheLoader',
    });
    this.#DataLoader = 'default' in loaded ? loaded.default : loaded;
  }

  /** The loader of this GraphQL context, or of the transaction that the call runs in; a new one where there is none. */
  of(context: object): ContextLoader<Id, Value> {
    const place = currentTransaction() ?? context;
    const known = this.#loaders.get(place);
    if (known !== undefined) return known;
    const { key, maxBatchSize } = this.#options;
    const loader = new this.#DataLoader<Id, Value>((ids) => this.#batch(ids), {
      cacheKeyFn: key,
      ...(maxBatchSize === undefined ? {} : { maxBatchSize }),
    });
    this.#loaders.set(place, loader);
    return loader;
  }

  async #batch(ids: readonly Id[]): Promise<(Value | Error)[]> {
    const { key, load } = this.#options;
    const byKey = new Map(ids.map((id) => [key(id), id]));
    const failed = new Map<string, Error>();
    const outcome = { failed: false };
    const loadMissing = async (keys: string[]): Promise<Map<string, Value>> => {
      try {
        const loaded = new Map<string, Value>();
        const values = await load(keys.map((each) => byKey.get(each)!));
        keys.forEach((each, index) => {
          const value = values[index];
          if (value instanceof Error) failed.set(each, value);
          else if (value !== undefined) loaded.set(each, value);
        });
        return loaded;
      } catch (error) {
        outcome.failed = true;
        throw error;
      }
    };
    const keys = [...byKey.keys()];
    const loadAll = async (): Promise<(Value | Error)[]> => {
      const values = await loadMissing(keys);
      return keys.map((each) => failed.get(each) ?? (values.get(each) as Value));
    };
    if (isInTransaction()) return loadAll();
    try {
      const values = await this.#cache.getOrSetMany<Value>(keys, loadMissing, this.#entry);
      return keys.map((each, index) => failed.get(each) ?? (values[index] as Value));
    } catch (error) {
      if (outcome.failed) throw error;
      // A cache that fails does not fail the query.
      return loadAll();
    }
  }
}

function checkFunction(option: string, got: unknown): void {
  if (typeof got !== 'function') throw wrong(option, got, 'a function of ids');
}

function checkBatchSize(got: unknown): void {
  if (got === undefined || (Number.isInteger(got) && (got as number) > 0)) return;
  throw wrong('maxBatchSize', got, 'a whole number above 0');
}

/** Now: a query would take it for a failure of the cache, and go on without one. */
function checkEntry(entry: object): void {
  const known: readonly string[] = [...FRESHNESS, 'tags'];
  for (const [name, value] of Object.entries(entry)) {
    if (!known.includes(name)) throw wrong(name, value, `one of key, load, maxBatchSize, ${known.join(', ')}`);
    const { accepts, expected } = CHECKS[name as OptionName];
    // A decorator takes functions of the call; here there is none.
    if (value !== undefined && (typeof value === 'function' || !accepts(value))) throw wrong(name, value, expected);
  }
}

function wrong(option: string, got: unknown, expected: string): Error {
  const what = typeof got === 'number' || typeof got === 'string' ? JSON.stringify(got) : typeof got;
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `TurboCacheLoader: option "${option}": got ${what}; expected ${expected}.`,
    { option, got, expected },
  );
}
