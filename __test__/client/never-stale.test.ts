/**
 * Law 1 to 3 as a property: whatever is done at the same time, no call returns a value that was old when it began.
 * Two managers of one namespace do random things to a few keys over an origin of growing versions.
 */
import { CacheManager, MemoryAdapter, type CacheManagerOptions } from 'turbocache-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';

const KEYS = ['a', 'b', 'c'];
const STEPS = 1_500;
const AT_ONCE = 12;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe.each<[string, () => CacheManagerOptions, number]>([
  ['memory', () => ({}), 2],
  ['memory alone', () => ({ hot: false }), 2],
  ['frozen', () => ({ hot: { reads: 'frozen' } }), 2],
  ['a tiny hot tier', () => ({ hot: { maxEntries: 1 } }), 2],
  ['Redis', () => ({ redis: { url: redis.url } }), 2],
  ['Redis alone', () => ({ redis: { url: redis.url }, memory: false, hot: false }), 1],
  ['an adapter', () => ({ adapter: new MemoryAdapter() }), 1],
])('over %s', (name, options, managers) => {
  it.each([1, 2, 3])('no call returns what was old when it began (seed %i)', async (seed) => {
    const namespace = `never-stale-${name.replaceAll(' ', '-')}-${seed}`;
    const caches = Array.from({ length: managers }, () => new CacheManager({ namespace, grace: '1m', ...options() }));
    await Promise.all(caches.map((cache) => cache.ready()));
    const history = new History(caches, randomFrom(seed));
    await Promise.all(Array.from({ length: AT_ONCE }, () => history.run(STEPS / AT_ONCE)));
    await Promise.all(caches.map((cache) => cache.close()));
    expect(history.violations).toEqual([]);
    expect(history.answers).toBeGreaterThan(STEPS / 4);
  });
});

class History {
  readonly violations: string[] = [];
  answers = 0;
  /** The origin: the version of each key. */
  private readonly origin = new Map(KEYS.map((key) => [key, 1]));
  /** For each cache and key, the version that every answer must have reached. */
  private readonly floors: Map<string, number>[];

  constructor(
    private readonly caches: readonly CacheManager[],
    private readonly random: (below: number) => number,
  ) {
    this.floors = caches.map(() => new Map(KEYS.map((key) => [key, 0])));
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const who = this.random(this.caches.length);
      const key = KEYS[this.random(KEYS.length)]!;
      await (this.random(4) === 0 ? this.change(who, key) : this.read(who, key));
      if (this.random(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async read(who: number, key: string): Promise<void> {
    const cache = this.caches[who]!;
    const floor = this.floors[who]!.get(key)!;
    const how = this.random(5);
    const loader = async (): Promise<{ version: number }> => {
      const version = this.origin.get(key)!;
      for (let turn = this.random(4); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
      return { version };
    };
    const tags = [`tag of ${key}`];
    const got = await [
      () => cache.get<{ version: number }>(key),
      () => Promise.resolve(cache.peek<{ version: number }>(key)),
      () => cache.getOrSet(key, loader, { tags }),
      () => cache.getOrSet(key, loader),
      () => cache.getOrSetMany([key], () => Promise.all([loader()])).then(([value]) => value),
    ][how]!();
    if (got === undefined) return;
    this.answers++;
    if (got.version < floor) this.violations.push(`read ${how} of ${key} gave ${got.version}, ${floor} was reached`);
  }

  /** A new version at the origin, and then the invalidation: one's own cache knows at once, the others when it is done. */
  private async change(who: number, key: string): Promise<void> {
    const cache = this.caches[who]!;
    const version = this.origin.get(key)! + 1;
    this.origin.set(key, version);
    const how = this.random(4);
    const done = [
      () => cache.delete(key),
      () => cache.invalidateTags([`tag of ${key}`]).then(() => cache.delete(key)),
      () => cache.clear(),
      () => cache.deleteMany(KEYS),
    ][how]!();
    if (how !== 1) this.raise([who], key, version);
    await done;
    this.raise(this.caches.keys(), key, version);
  }

  private raise(who: Iterable<number>, key: string, version: number): void {
    for (const index of who) this.floors[index]!.set(key, Math.max(this.floors[index]!.get(key)!, version));
  }
}

/** Park and Miller's generator: the same history for the same seed, as far as the event loop allows. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}
