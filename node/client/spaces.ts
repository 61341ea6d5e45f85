/** The key spaces of a manager: one for each path, however many caches look at it. */
import type { ReadMode } from '../../index';
import { Bulkhead, type BulkheadLimits } from './bulkhead';
import type { Codec } from './codec';
import { ConfigurationError } from './errors';
import { Space } from './space';
import type { Tiers } from './tiers';

export class Spaces {
  private readonly byPath = new Map<string, Space>();

  constructor(readonly tiers: Tiers) {}

  /** The key space of a path; its encoding and its way of handing out are the same for all who use it. */
  open(path: string, codec: Codec, reads: ReadMode, limits: BulkheadLimits): Space {
    const known = this.byPath.get(path);
    if (known === undefined) {
      const space = new Space(this.tiers, path, codec, reads, bulkheadOf(limits));
      this.byPath.set(path, space);
      return space;
    }
    if (known.codec.id !== codec.id) throw clash(path, 'serializer', codec.name, known.codec.name);
    if (known.reads !== reads) throw clash(path, 'reads', reads, known.reads);
    const [asked, used] = [shown(bulkheadOf(limits)), shown(known.bulkhead)];
    if (asked !== used) throw clash(path, 'bulkhead', asked, used);
    return known;
  }

  /** Drops the decoded values of a namespace and of those nested in it. */
  clearHot(path: string): void {
    for (const space of this.byPath.values()) {
      if (path === '' || space.path === path || space.path.startsWith(`${path}/`)) this.tiers.hot.clear(space.hot);
    }
  }
}

function bulkheadOf({ maxConcurrent, maxQueued }: BulkheadLimits): Bulkhead | null {
  return maxConcurrent === null ? null : new Bulkhead(maxConcurrent, maxQueued);
}

function shown(bulkhead: Bulkhead | null): string {
  return bulkhead === null ? 'none' : `${bulkhead.maxConcurrent} + ${bulkhead.maxQueued}`;
}

function clash(path: string, option: string, got: string, used: string): ConfigurationError {
  const message = `The namespace '${path}' is in use with ${option} '${used}'; '${got}' was asked for, expected the same.`;
  return new ConfigurationError('E_TURBOCACHE_CLASH', message, { option, got, expected: used });
}
