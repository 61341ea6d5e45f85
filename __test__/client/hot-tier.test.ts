import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { HotSpace, HotTier, NEVER, type HotEntry } from '../../node/client/hot-tier';
import { KeptValue } from '../../node/client/kept-value';
import { makeManager, turns } from './fixture';

const CLOCK = 0;
const PULSE = 1;
const NAMESPACE = 2;
const SLOT = 3;
const TAG = 4;

function makeTier(limits = { maxEntries: 3, maxBytes: 1_000 }, onTrial = 0) {
  const mirror = new Int32Array(new SharedArrayBuffer(64));
  const tier = new HotTier(mirror, { clock: CLOCK, pulse: PULSE }, limits, onTrial);
  /** As the engine does it: behind what has changed moves the pulse. */
  const change = (index: number, value: number): void => {
    Atomics.store(mirror, index, value);
    Atomics.add(mirror, PULSE, 1);
  };
  const space = new HotSpace(NAMESPACE);
  const entryOf = (
    key: string,
    { freshFor = 100, bytes = 10, tagPairs = null as Int32Array | null } = {},
  ): HotEntry => {
    const captured = { slot: SLOT, generation: mirror[SLOT]!, namespaceGeneration: mirror[NAMESPACE]!, tagPairs };
    const kept = KeptValue.of(key, 'copy', true, bytes)!;
    return { kept, captured, freshUntil: (mirror[CLOCK]! + freshFor) | 0, ttl: freshFor, loadTime: 0, bytes };
  };
  const put = (key: string, about?: Parameters<typeof entryOf>[1]): void => tier.put(space, key, entryOf(key, about));
  const load = (key: string, about?: Parameters<typeof entryOf>[1]): void =>
    tier.putLoaded(space, key, entryOf(key, about));
  const has = (key: string): boolean => tier.find(space, key) !== undefined;
  return { mirror, change, tier, space, put, load, has, keys: () => [...space.nodes.keys()].sort() };
}

describe('an entry of the hot tier', () => {
  it.each([
    ['its key', SLOT],
    ['its namespace', NAMESPACE],
    ['one of its tags', TAG],
  ])('is not served once the generation of %s has moved', (_, index) => {
    const { change, tier, put, has } = makeTier();
    put('k', { tagPairs: Int32Array.of(TAG, 0) });
    expect(has('k')).toBe(true);
    change(index, 1);
    expect(has('k')).toBe(false);
    expect(tier.entries).toBe(0);
  });

  it.each([0, 2 ** 31 - 50, -(2 ** 31), -60])(
    'is served until its time has come, wherever the 32-bit clock stands (%d)',
    (start) => {
      const { change, put, has } = makeTier();
      change(CLOCK, start);
      put('k', { freshFor: 100 });
      change(CLOCK, start + 99);
      expect(has('k')).toBe(true);
      change(CLOCK, start + 100);
      expect(has('k')).toBe(false);
    },
  );

  it('is not served any more in a loop of hits, as soon as another thread has invalidated it', async () => {
    const { mirror, put, has } = makeTier();
    const rounds = 400;
    /** The round that may begin, and the one whose invalidation is over. */
    const told = new Int32Array(new SharedArrayBuffer(8));
    const source = `
      const { mirror, told } = require('node:worker_threads').workerData;
      for (let round = 1; round <= ${rounds}; round++) {
        Atomics.wait(told, 0, round - 1);
        Atomics.add(mirror, ${SLOT}, 1);
        Atomics.add(mirror, ${PULSE}, 1);
        Atomics.store(told, 1, round);
      }`;
    const worker = new Worker(source, { eval: true, workerData: { mirror, told } });
    put('k');
    // Until it is compiled with all that it knows by then.
    for (let warm = 0; warm < 1_000_000; warm++) has('k');
    let [hits, served] = [0, 0];
    for (let round = 1; round <= rounds; round++) {
      put('k');
      expect(has('k')).toBe(true);
      Atomics.store(told, 0, round);
      Atomics.notify(told, 0);
      // Nothing but hits: whoever reads shared memory once for all of them does not come out.
      const begun = hits;
      if (round % 2 === 0) while (has('k') && hits - begun < 1e9) hits++;
      while (Atomics.load(told, 1) !== round) if (has('k')) hits++;
      if (has('k')) served++;
    }
    expect(hits).toBeGreaterThan(rounds);
    expect(served).toBe(0);
    await worker.terminate();
  });

  it('that expired is swept before the clock wraps round to it', () => {
    const { change, tier, put, has, keys } = makeTier();
    put('old', { freshFor: 100 });
    put('good', { freshFor: NEVER });
    change(CLOCK, 2 ** 29);
    tier.sweep();
    expect(keys()).toEqual(['good']);
    change(CLOCK, 2 ** 31 + 50);
    expect(has('old')).toBe(false);
  });
});

describe('a hot tier', () => {
  it('believes what it has found at the same pulse, and looks again at another one', () => {
    const { mirror, has, put } = makeTier();
    put('k');
    expect(has('k')).toBe(true);
    // No engine does this: it shows that nothing else is looked at.
    mirror[SLOT] = 1;
    expect(has('k')).toBe(true);
    Atomics.add(mirror, PULSE, 1);
    expect(has('k')).toBe(false);
  });

  it('is swept before the pulse has gone round to where an entry was current', () => {
    const { mirror, tier, change, has, put, keys } = makeTier();
    for (const key of ['old', 'good']) put(key);
    tier.sweepIfDue();
    put('old', { freshFor: 10 });
    expect(has('old')).toBe(true);
    const pulse = mirror[PULSE]!;
    change(CLOCK, 10);
    tier.sweepIfDue();
    expect(keys()).toEqual(['good', 'old']);
    mirror[PULSE] = (pulse + 2 ** 30) | 0;
    tier.sweepIfDue();
    expect(keys()).toEqual(['good']);
    mirror[PULSE] = pulse;
    expect(has('old')).toBe(false);
  });

  it.each([0, 2 ** 31 - 1, -(2 ** 31), -1])('knows nothing of a new entry, wherever the pulse stands (%d)', (pulse) => {
    const { mirror, has, put } = makeTier();
    mirror[PULSE] = pulse;
    put('k', { freshFor: 0 });
    expect(has('k')).toBe(false);
  });
});

describe('a full hot tier', () => {
  it('drops the oldest entry that was not read since the hand passed (SIEVE)', () => {
    const { put, has, keys, tier } = makeTier();
    for (const key of ['a', 'b', 'c']) put(key);
    has('a');
    put('d');
    expect(keys()).toEqual(['a', 'c', 'd']);
    put('e');
    expect(keys()).toEqual(['a', 'd', 'e']);
    has('d');
    has('e');
    put('f');
    // The hand spares d and e, and wraps round to a, whose bit it has taken before.
    expect(keys()).toEqual(['d', 'e', 'f']);
    expect(tier.evictions).toBe(3);
  });

  it('keeps what is read often while a scan runs through', () => {
    const { put, has } = makeTier({ maxEntries: 10, maxBytes: 1_000 });
    put('popular');
    for (let n = 0; n < 1_000; n++) {
      put(`scan ${n}`);
      expect(has('popular')).toBe(true);
    }
  });

  it('is bounded in bytes over all namespaces', () => {
    const { tier, put, space } = makeTier({ maxEntries: 100, maxBytes: 100 });
    const other = new HotSpace(NAMESPACE);
    for (let n = 0; n < 50; n++) put(`k${n}`, { bytes: 30 });
    const kept = KeptValue.of(1, 'copy', true, 1)!;
    const captured = { slot: SLOT, generation: 0, namespaceGeneration: 0, tagPairs: null };
    tier.put(other, 'k', { kept, captured, freshUntil: 100, ttl: 100, loadTime: 0, bytes: 90 });
    expect(tier.bytes).toBe(90);
    expect([space.nodes.size, other.nodes.size]).toEqual([0, 1]);
    put('too large', { bytes: 101 });
    expect(tier.entries).toBe(1);
  });

  it('counts right through any mixture of writes, reads and removals', () => {
    const { tier, put, load, has, space } = makeTier({ maxEntries: 7, maxBytes: 100 }, 3);
    let seed = 1;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let step = 0; step < 20_000; step++) {
      const key = `k${random(20)}`;
      const action = random(4);
      if (action === 0) put(key, { bytes: random(40) });
      else if (action === 3) load(key, { bytes: random(40) });
      else if (action === 1) has(key);
      else tier.remove(space, key);
      expect(tier.entries).toBe(space.nodes.size);
      expect(tier.bytes).toBe([...space.nodes.values()].reduce((sum, node) => sum + node.bytes, 0));
      expect(tier.entries <= 7 && tier.bytes <= 100).toBe(true);
    }
    tier.close();
    put('k');
    expect(tier.entries).toBe(0);
  });
});

describe('what a loader has just brought', () => {
  it('stays if it was read again before so many others came, and goes otherwise', () => {
    const { tier, put, load, has, keys } = makeTier({ maxEntries: 10, maxBytes: 1_000 }, 2);
    put('read from L1');
    for (const key of ['a', 'b', 'c']) load(key);
    expect(keys()).toEqual(['b', 'c', 'read from L1']);
    has('b');
    for (const key of ['d', 'e', 'f', 'g']) load(key);
    expect(keys()).toEqual(['b', 'f', 'g', 'read from L1']);
    expect([tier.entries, tier.bytes, tier.evictions]).toEqual([4, 40, 4]);
  });

  it('is checked, swept and dropped like any other', () => {
    const { change, tier, load, has, keys } = makeTier({ maxEntries: 10, maxBytes: 1_000 }, 2);
    load('old');
    change(SLOT, 1);
    load('new');
    expect(has('old')).toBe(false);
    load('short', { freshFor: 10 });
    change(CLOCK, 10);
    tier.sweep();
    expect(keys()).toEqual(['new']);
    tier.close();
    expect(tier.entries).toBe(0);
  });

  it('makes room when there is nothing else to drop', () => {
    const { tier, load, keys } = makeTier({ maxEntries: 10, maxBytes: 50 }, 5);
    for (const key of ['a', 'b', 'c']) load(key, { bytes: 20 });
    expect(keys()).toEqual(['b', 'c']);
    expect(tier.bytes).toBe(40);
  });

  it('is still in L1 when it has gone, and comes back with the first read', async () => {
    const { manager, engine } = makeManager();
    for (let n = 0; n < 1_000; n++) await manager.getOrSet(`k${n}`, () => ({ n }));
    expect(manager.stats().hot.entries).toBeLessThan(200);
    const { reads } = engine;
    expect([manager.peek('k0'), manager.peek('k0'), manager.peek('k0')]).toEqual([{ n: 0 }, { n: 0 }, { n: 0 }]);
    expect(engine.reads).toBe(reads + 1);
  });

  it('stays without an L1, as long as there is room', async () => {
    const { manager } = makeManager({ memory: false });
    for (let n = 0; n < 1_000; n++) await manager.getOrSet(`k${n}`, () => ({ n }));
    expect(manager.stats().hot.entries).toBeGreaterThan(990);
  });
});

describe('a hit of the hot tier', () => {
  it('does not leave JavaScript', async () => {
    const { manager, engine } = makeManager();
    await manager.set('k', 1);
    await manager.get('k');
    const { reads, submits } = engine;
    expect([await manager.get('k'), manager.peek('k'), await manager.getOrSet('k', () => 2)]).toEqual([1, 1, 1]);
    expect(await manager.has('k')).toBe(true);
    expect([engine.reads, engine.submits]).toEqual([reads, submits]);
  });

  it('is impossible behind an invalidation, even in the middle of a long turn', async () => {
    const { manager, engine } = makeManager();
    await manager.set('k', 1, { tags: ['t'] });
    await manager.get('k');
    expect(manager.peek('k')).toBe(1);
    engine.invalidateTag('t');
    expect(manager.peek('k')).toBeUndefined();
    await manager.set('k', 2);
    expect(manager.peek('k')).toBe(2);
    engine.invalidate('k');
    expect(manager.peek('k')).toBeUndefined();
  });

  it('is not delayed: a value from the remote tier is in it for as long as it is fresh', async () => {
    const { manager, engine } = makeManager({ redis: { url: 'redis://h' } });
    await manager.get('k');
    engine.putRemote('k', 'theirs', { ttl: 50 });
    expect(await manager.get('k')).toBe('theirs');
    await turns();
    expect(manager.peek('k')).toBe('theirs');
    engine.advance(50);
    expect(manager.peek('k')).toBeUndefined();
  });
});
