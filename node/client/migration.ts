/**
 * Taking values over from the version before: what a load asks before its loader.
 *
 * Sound by two orders. A change of this version is made in the one before first (`cache.ts`), so whoever gets a lease behind
 * it here reads the old value behind its removal. And a lease from before the change is no good any more when the value that
 * was read is to be stored (law 2).
 */
import type { Cache, Loader, LoaderContext } from '../../index';
import { encode } from './codec';
import { TurboCacheError } from './errors';
import { tagsOf, type EntryFreshness } from './freshness';
import { NEVER } from './hot-tier';
import { Condition } from './reports';
import type { Space } from './space';
import type { Migrate } from './version';

export class Migration {
  private readonly works: Condition;

  constructor(
    private readonly space: Space,
    private readonly previous: Cache,
    private readonly migrate: Migrate,
  ) {
    this.works = new Condition((error) => space.tiers.reports.error(error));
  }

  /** The loader for whom there is nothing to take over. */
  before(loader: Loader<unknown>, entry: EntryFreshness): Loader<unknown> {
    return async (context) => {
      const value = await this.take(context, entry);
      return value === undefined ? loader(context) : value;
    };
  }

  private async take(context: LoaderContext, entry: EntryFreshness): Promise<unknown> {
    // Where there is a value of this version, only a loader knows a newer one.
    if (context.stale !== undefined) return undefined;
    const found = await this.previous.getEntry(context.key);
    const readAt = performance.now();
    if (found === undefined || found.stale || !this.isInOrder(found.tier)) return undefined;
    try {
      const value = await this.migrate(found.value, { key: context.key });
      const fits = value !== undefined && this.fits(context.key, value, found.tags, entry);
      this.works.recovered();
      // A time of `NEVER` or more is not told exactly: it is cut rather than made longer.
      const left = Math.floor((found.ttl ?? NEVER) - (performance.now() - readAt));
      if (!fits || left <= 0) return undefined;
      context.setTtl(left);
      context.setTags(found.tags);
      return value;
    } catch (cause) {
      this.works.failed(() => failure(context.key, cause));
      return undefined;
    }
  }

  /**
   * Memory may hold what a change has removed that this process has not heard of yet, although the lease came behind that
   * change. The remote tier was asked behind the lease. Without one, memory is what changes are made in.
   */
  private isInOrder(tier: 'hot' | 'memory' | 'remote'): boolean {
    return tier === 'remote' || !this.space.tiers.hasRemote;
  }

  /**
   * Whether it may stand for what a loader would bring. Not without a tag that this version wants: an invalidation of that tag
   * has not reached the old value. Throws what cannot be stored.
   */
  private fits(key: string, value: unknown, tags: readonly string[], entry: EntryFreshness): boolean {
    encode(this.space.codec, key, value, this.space.tiers.maxValueBytes);
    return tagsOf(entry.tags, value).every((tag) => tags.includes(tag));
  }
}

function failure(key: string, cause: unknown): TurboCacheError {
  const message = `The old value of key '${key}' could not be migrated; its loader is called instead; expected migrate.value to give a value that can be stored, or undefined.`;
  const expected = 'a value that can be stored, or undefined';
  return new TurboCacheError('E_TURBOCACHE_MIGRATE', message, { key, option: 'migrate.value', expected, cause });
}
