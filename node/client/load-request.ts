/** What a caller of a load asked for. */
import type { Loader } from '../../index';
import type { EntryFreshness } from './freshness';
import type { Migration } from './migration';
import type { TtlRule } from './ttl-rule';

export interface LoadRequest {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly entry: EntryFreshness;
  readonly ttlRule: TtlRule;
  /** Asked before the loader. */
  readonly migration: Migration | undefined;
}
