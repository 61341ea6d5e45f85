/**
 * The one door to the client: nothing else in this folder imports it. Types are the published ones (`index.d.ts`), so
 * that declarations of `turbocache-js/nest` and of `turbocache-js` speak of the same classes.
 */
import type * as api from 'turbocache-js';
import * as implementation from '../node/client/index';

const client = implementation as unknown as typeof api;

export const CacheManager: typeof api.CacheManager = client.CacheManager;
export type CacheManager = api.CacheManager;

export const TurboCacheError: typeof api.TurboCacheError = client.TurboCacheError;
export type TurboCacheError = api.TurboCacheError;

export const ConfigurationError: typeof api.ConfigurationError = client.ConfigurationError;
export type ConfigurationError = api.ConfigurationError;

export const InvalidArgumentError: typeof api.InvalidArgumentError = client.InvalidArgumentError;
export type InvalidArgumentError = api.InvalidArgumentError;

export const DecoratorError: typeof api.DecoratorError = client.DecoratorError;
export type DecoratorError = api.DecoratorError;

export const UnsupportedError: typeof api.UnsupportedError = client.UnsupportedError;
export type UnsupportedError = api.UnsupportedError;

/** What the client offers this folder besides its public API; see `node/client/shortcuts.ts`. */
export interface Shortcuts {
  /** The value of a hit in L0, as `getOrSet` hands it out. `undefined`: ask `getOrSet`, which also counts the miss. */
  hot(key: string): unknown;
  /** How old the value is in milliseconds, by the store's own clock, and whether only its grace keeps it; `undefined`: not known. */
  life(key: string): { readonly age: number; readonly stale: boolean } | undefined;
  /** Resolves when the reload ahead of time that runs for this key in this isolate has ended; at once, if there is none. */
  reloaded(key: string): Promise<void>;
  /** A synchronous `getOrSet` that knows only the memory of this process. */
  getOrLoadNow(
    key: string,
    loader: (context: api.LoaderContext) => unknown,
    options: api.EntryOptions | undefined,
  ): unknown;
}

const SHORTCUTS = Symbol.for('turbocache-js:shortcuts');

interface WithShortcuts {
  [SHORTCUTS]?(options: api.FreshnessOptions): Shortcuts;
}

/** `undefined` for a cache that somebody else has written. */
export function shortcutsOf(cache: api.Cache, options: api.FreshnessOptions): Shortcuts | undefined {
  return (cache as WithShortcuts)[SHORTCUTS]?.(options);
}

export const escapePattern: typeof api.escapePattern = client.escapePattern;

export type {
  Cache,
  CacheManagerOptions,
  CacheOptions,
  CacheStats,
  EntryOptions,
  ErrorDetails,
  FreshnessOptions,
  IKeyGenerator,
  KeyContext,
  LoaderContext,
  Ttl,
  TurboCacheErrorCode,
} from 'turbocache-js';
