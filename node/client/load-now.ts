/**
 * A load in the middle of a synchronous call. It waits for nobody: its lease is this process's alone, so that what it brings
 * goes to memory and not to the remote tier, where an invalidation could have come first without being known here (law 2).
 */
import type { LoaderContext } from '../../index';
import { byteLength, encode } from './codec';
import { fill, type Permit } from './filling';
import { tagsOf, type EntryFreshness } from './freshness';
import { LoadContext } from './load-context';
import { Op, RequestFlag } from './native';
import { endLoad, runLoad } from './recursion';
import { capturedIn, type Space } from './space';
import { isThenable } from './thenable';
import type { TtlRule } from './ttl-rule';

export interface LoadNowRequest {
  readonly key: string;
  readonly loader: (context: LoaderContext) => unknown;
  readonly entry: EntryFreshness;
  readonly ttlRule: TtlRule;
}

/** The loader's value as every later hit gives it; what cannot be stored, a promise for one, as it is. */
export function loadNow(space: Space, request: LoadNowRequest): unknown {
  const { key, entry, ttlRule } = request;
  const permit = leaseOf(space, key);
  const context = new LoadContext({ key, takeStale: () => undefined, waiters: 1 });
  const started = performance.now();
  let [isStored, hasFailed] = [false, true];
  try {
    const value = run(space, request, context);
    hasFailed = false;
    if (value === undefined || isThenable(value)) return value;
    const encoded = encode(space.codec, key, value, space.tiers.maxValueBytes);
    const outcome = space.receiveOwn(key, encoded);
    const loadTime = performance.now() - started;
    const tags = context.chosenTags ?? tagsOf(entry.tags, value);
    const lives = ttlRule.decide(entry.freshness, { key, value, loadTime, chosen: context.chosenTtl });
    if (!context.skipped) {
      isStored = true;
      const bytes = byteLength(encoded);
      const loaded = { key, outcome, encoded, bytes, tags, loadTime, ...lives, grace: entry.freshness.grace };
      fill(space, loaded, permit, () => undefined);
    }
    return outcome.take();
  } finally {
    if (!isStored) release(space, key, permit, hasFailed);
  }
}

function run(space: Space, { key, loader }: LoadNowRequest, context: LoadContext): unknown {
  return runLoad(
    space,
    (asked) => asked === key,
    (frame) => {
      try {
        return loader(context);
      } finally {
        endLoad(frame);
      }
    },
  );
}

function leaseOf({ tiers, id }: Space, key: string): Permit {
  const { session } = tiers;
  session.leaseHere(id, key);
  const { lease } = session.answer;
  return { lease, captured: capturedIn(session.answer) };
}

function release({ tiers, id }: Space, key: string, { lease }: Permit, hasFailed: boolean): void {
  tiers.session.tell({ op: Op.Release, namespaceId: id, key, flags: hasFailed ? RequestFlag.Failed : 0, lease });
}
