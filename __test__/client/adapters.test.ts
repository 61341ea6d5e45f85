import { Cacheable } from 'cacheable';
import Keyv from 'keyv';
import { describe, expect, it } from 'vitest';
import type { AdapterEntry, ICacheAdapter, KeyvLike } from '../../index';
import { CacheableAdapter, ConfigurationError, KeyvAdapter, MemoryAdapter, MultiTierAdapter } from '../../node/client';
import { adapterContract } from './adapter-contract';

const one = { key: 'k', value: Uint8Array.of(1), ttl: null };
const first = async (adapter: ICacheAdapter): Promise<number | undefined> =>
  (await adapter.getMany(['k']))[0]?.value[0];

describe('MemoryAdapter', () => {
  adapterContract(() => new MemoryAdapter());

  it('is bounded: the oldest written goes first', async () => {
    const adapter = new MemoryAdapter({ maxEntries: 2 });
    for (const key of ['a', 'b', 'a', 'c']) await adapter.setMany([{ ...one, key }]);
    expect((await adapter.getMany(['a', 'b', 'c'])).map((entry) => entry !== undefined)).toEqual([true, false, true]);
    expect(() => new MemoryAdapter({ maxEntries: 0 })).toThrow(ConfigurationError);
  });
});

describe('KeyvAdapter over Keyv 5', () => {
  adapterContract(() => new KeyvAdapter(new Keyv() as KeyvLike));

  it('a write that Keyv refuses is a failure of the remote tier', async () => {
    const broken = {
      get: () => undefined,
      set: () => Promise.reject(new Error('down')),
      delete: () => true,
      clear() {},
      opts: {},
    };
    const keyv = new Keyv({ store: Object.assign(new Map(), broken) });
    keyv.on('error', () => undefined);
    await expect(new KeyvAdapter(keyv as KeyvLike).setMany([one])).rejects.toThrow();
  });

  it('foreign values in the store are misses', async () => {
    const keyv = new Keyv();
    for (const value of ['text', 5, { v: 5, e: null }, { v: 'AQ==' }, null]) {
      await keyv.set('k', value);
      expect(await new KeyvAdapter(keyv as KeyvLike).getMany(['k'])).toEqual([undefined]);
    }
  });

  it('disconnects its store, and wants one', async () => {
    let gone = 0;
    await new KeyvAdapter({
      get: async () => [],
      set: async () => true,
      delete: async () => true,
      disconnect: async () => void gone++,
    }).close();
    expect(gone).toBe(1);
    expect(() => new KeyvAdapter({} as never)).toThrow(ConfigurationError);
    expect(() => new KeyvAdapter(undefined as never)).toThrow(ConfigurationError);
  });
});

describe('CacheableAdapter', () => {
  adapterContract(() => new CacheableAdapter(new Cacheable()));

  it('wants a Cacheable', () => {
    expect(() => new CacheableAdapter({} as never)).toThrow(ConfigurationError);
  });
});

describe('MultiTierAdapter', () => {
  adapterContract(() => new MultiTierAdapter([new MemoryAdapter(), new MemoryAdapter()]));
  adapterContract(() => new MultiTierAdapter([new MemoryAdapter()]));

  it('fills the nearer tiers with the life that is left', async () => {
    const [near, middle, far] = [new MemoryAdapter(), new MemoryAdapter(), new MemoryAdapter()];
    const adapter = new MultiTierAdapter([near, middle, far]);
    await far.setMany([{ ...one, ttl: 1_000 }]);
    expect(await first(adapter)).toBe(1);
    for (const tier of [near, middle]) {
      const [entry] = await tier.getMany(['k']);
      expect(entry!.ttl).toBeLessThanOrEqual(1_000);
    }
    expect(adapter.name).toBe('memory+memory+memory');
  });

  it('writes the farthest first, and all even if one fails', async () => {
    const order: string[] = [];
    const tier = (name: string, fails = false): ICacheAdapter => ({
      name,
      getMany: (keys) => Promise.resolve(keys.map(() => undefined)),
      setMany: () => (order.push(name), fails ? Promise.reject(new Error(name)) : Promise.resolve()),
      deleteMany: (keys) => (
        order.push(name),
        fails ? Promise.reject(new Error(name)) : Promise.resolve(keys.map(() => true))
      ),
    });
    const adapter = new MultiTierAdapter([tier('near'), tier('far', true)]);
    await expect(adapter.setMany([one])).rejects.toThrow('far');
    await expect(adapter.deleteMany(['k'])).rejects.toThrow('far');
    expect(order).toEqual(['far', 'near', 'far', 'near']);
  });

  it('a tier that fails is skipped by reads; when all fail the read fails', async () => {
    const failing: ICacheAdapter = Object.assign(new MemoryAdapter(), {
      getMany: () => Promise.reject(new Error('down')),
      setMany: () => Promise.reject(new Error('down')),
    });
    const far = new MemoryAdapter();
    await far.setMany([one]);
    expect(await first(new MultiTierAdapter([failing, far]))).toBe(1);
    await expect(new MultiTierAdapter([failing, failing]).getMany(['k'])).rejects.toThrow('down');
  });

  it('a fill does not bring back what was deleted while it was read', async () => {
    const near = new MemoryAdapter();
    const far = new MemoryAdapter();
    await far.setMany([one]);
    const slow = heldReads(far);
    const adapter = new MultiTierAdapter([near, slow]);
    const reading = adapter.getMany(['k']);
    await slow.asked;
    await adapter.deleteMany(['k']);
    slow.answer();
    await reading;
    expect(await near.getMany(['k'])).toEqual([undefined]);
    expect(await first(adapter)).toBeUndefined();
  });

  it('a delete waits for a fill of its key that is on its way', async () => {
    const near = new MemoryAdapter();
    const far = new MemoryAdapter();
    await far.setMany([one]);
    let letFill!: () => void;
    let filling!: () => void;
    const started = new Promise<void>((resolve) => (filling = resolve));
    const slowNear: ICacheAdapter = Object.assign(new MemoryAdapter(), {
      getMany: near.getMany.bind(near),
      deleteMany: near.deleteMany.bind(near),
      setMany: async (entries: Parameters<ICacheAdapter['setMany']>[0]) => {
        filling();
        await new Promise<void>((resolve) => (letFill = resolve));
        await near.setMany(entries);
      },
    });
    const adapter = new MultiTierAdapter([slowNear, far]);
    const reading = adapter.getMany(['k']);
    await started;
    const deleting = adapter.deleteMany(['k']);
    letFill();
    await Promise.all([reading, deleting]);
    expect(await near.getMany(['k'])).toEqual([undefined]);
  });

  it('closes all its tiers, and wants at least one', async () => {
    let closed = 0;
    const tier = (): ICacheAdapter => Object.assign(new MemoryAdapter(), { close: async () => void closed++ });
    await new MultiTierAdapter([tier(), tier(), new MemoryAdapter()]).close();
    expect(closed).toBe(2);
    expect(() => new MultiTierAdapter([])).toThrow(ConfigurationError);
  });
});

function heldReads(adapter: ICacheAdapter): ICacheAdapter & { asked: Promise<void>; answer: () => void } {
  let answer!: () => void;
  let ask!: () => void;
  const asked = new Promise<void>((resolve) => (ask = resolve));
  const held = new Promise<void>((resolve) => (answer = resolve));
  const getMany = async (keys: readonly string[]): Promise<readonly (AdapterEntry | undefined)[]> => {
    const found = await adapter.getMany(keys);
    ask();
    await held;
    return found;
  };
  return {
    name: 'held',
    getMany,
    setMany: adapter.setMany.bind(adapter),
    deleteMany: adapter.deleteMany.bind(adapter),
    asked,
    answer,
  };
}
