/** What the decorators accept. */
import type { FreshnessOptions, Ttl } from '../client';
import type { KeySource } from '../key/key-source';
import type { CallContext, ResultContext } from '../method/call';
import type { Returns } from '../method/returns';

/** Tags: texts or templates (`'user:#{id}'`, `'city:#{result.city}'`), or a function of the call and its result. */
export type TagSource = readonly string[] | ((context: ResultContext) => readonly string[]);

export interface ReturnsOption<R extends Returns = Returns> {
  /**
   * What the method returns, when its type does not say so (`design:returntype`): a promise, an Observable, or the `value`
   * itself. Values that are returned at once live in the memory of this process, and nowhere else.
   */
  returns?: R;
}

/** What `@TurboCache` and `@TurboCachePut` have in common. Options left out come from the class, the cache, the module. */
export interface StoreOptions<R extends Returns = Returns> extends Omit<FreshnessOptions, 'ttl'>, ReturnsOption<R> {
  /** Name of a cache (`forFeature`) or of a manager (`forRoot({ name })`). @default the default manager */
  cache?: string;
  /** Time a value is fresh: milliseconds, a text with a unit, `null` for ever, or a function of the call and its result. */
  ttl?: Ttl | ((context: ResultContext) => Ttl);
  /** Labels of the entry, for `@TurboCacheEvict({ tags })` and `invalidateTags`. */
  tags?: TagSource;
  /**
   * Names of context values that are part of the key: `['tenant']` (see `TurboCacheContext`). A call without such a value is
   * not cached. Those of the class count, too.
   */
  varyBy?: readonly string[];
  /** Asked after the method: `true` = the result is returned, but not stored; the same if it throws or says neither `true` nor `false`. */
  unless?: (context: ResultContext) => boolean;
}

export interface TurboCacheMemoOptions<R extends Returns = Returns> extends ReturnsOption<R> {
  /** What the result belongs to. @default class + method + arguments, or those marked with `@TurboCacheKey()` */
  key?: KeySource;
}

export interface TurboCacheOptions<R extends Returns = Returns> extends StoreOptions<R> {
  /** Key of the entry. @default class + method + arguments, or those marked with `@TurboCacheKey()` */
  key?: KeySource;
  /** Asked before the method: `false` = the cache is neither read nor written; the same if it throws or does not say `true`. */
  condition?: (context: CallContext) => boolean;
}

export interface TurboCachePutOptions<R extends Returns = Returns> extends StoreOptions<R> {
  /** Key of the entry; may use the result: `'user:#{result.id}'`. @default as for `@TurboCache` */
  key?: KeySource<ResultContext>;
  /** Asked after the method: `false` = nothing is stored; the same if it throws or does not say `true`. */
  condition?: (context: ResultContext) => boolean;
}

export interface TurboCacheEvictOptions<R extends Returns = Returns> extends ReturnsOption<R> {
  /** Name of a cache (`forFeature`) or of a manager (`forRoot({ name })`). @default the default manager */
  cache?: string;
  /** Key or keys to remove; may use the result, unless `when` is `'before'` or `'always'`. */
  key?: KeySource<ResultContext> | readonly KeySource<ResultContext>[];
  /**
   * Names of context values that are part of the key: `['tenant']` (see `TurboCacheContext`). It holds for `key` and
   * `pattern`. Those of the class count, too.
   */
  varyBy?: readonly string[];
  /** Removes every entry that carries one of these tags. */
  tags?: TagSource;
  /** Removes every entry of the cache. */
  all?: boolean;
  /**
   * Removes every key that matches a glob (see `deletePattern`). `#{…}` stands for the text that keys have in that place, and
   * never for a wildcard; `#{class}` and the result may be used. It walks over all keys of the store: prefer tags where it is
   * called often.
   */
  pattern?: string;
  /**
   * - `success`: after the method, if it did not throw.
   * - `before`: before the method, whatever becomes of it.
   * - `always`: after the method, even if it threw.
   * @default 'success'
   */
  when?: 'success' | 'before' | 'always';
  /** `false` = nothing is removed. Asked when the eviction is due. One that throws or says neither `true` nor `false` evicts. */
  condition?: (context: ResultContext) => boolean;
}

/** Options that all cache decorators of a class share; a decorator's own win. */
export interface TurboCacheDefaultsOptions extends FreshnessOptions {
  cache?: string;
  /** Names of context values that are part of every key. */
  varyBy?: readonly string[];
}
