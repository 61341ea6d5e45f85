/**
 * Several adapters as one, nearest first. Reads fill the nearer ones; writes and deletes go to all, farthest first.
 *
 * A fill must not bring back what was written over or deleted meanwhile (law 2): a read notes when a write of its key
 * begins, and then fills nothing; a write waits for the fills of its keys that are already on their way. That holds for
 * writes through this object: nearer tiers should therefore belong to this process alone.
 */
import type * as Public from '../../index';
import { ConfigurationError } from './errors';

type Entry = Public.AdapterEntry | undefined;
type Write = { key: string; value: Uint8Array; ttl: number | null };

/** A read on its way down the tiers. */
interface Reading {
  readonly keys: ReadonlySet<string>;
  /** Keys that were written since it began. */
  readonly written: Set<string>;
  filling: Promise<void> | undefined;
}

export class MultiTierAdapter implements Public.MultiTierAdapter {
  readonly name: string;
  readonly #tiers: readonly Public.ICacheAdapter[];
  readonly #readings = new Set<Reading>();

  constructor(tiers: readonly Public.ICacheAdapter[]) {
    if (!Array.isArray(tiers) || tiers.length === 0) {
      const expected = 'an array of at least one adapter';
      throw new ConfigurationError(
        'E_TURBOCACHE_OPTION',
        `The argument tiers is no array or empty; expected ${expected}.`,
        { option: 'tiers', expected },
      );
    }
    this.#tiers = [...(tiers as readonly Public.ICacheAdapter[])];
    this.name = this.#tiers.map((tier) => tier.name).join('+');
  }

  async getMany(keys: readonly string[]): Promise<readonly Entry[]> {
    const reading: Reading = { keys: new Set(keys), written: new Set(), filling: undefined };
    this.#readings.add(reading);
    try {
      return await this.#read(keys, reading);
    } finally {
      this.#readings.delete(reading);
    }
  }

  async setMany(entries: readonly Write[]): Promise<void> {
    await this.#writeAll(
      entries.map(({ key }) => key),
      (tier) => tier.setMany(entries),
    );
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    const removed = await this.#writeAll(keys, (tier) => tier.deleteMany(keys));
    return keys.map((_, index) => removed.some((tier) => tier[index] === true));
  }

  async close(): Promise<void> {
    await Promise.all(this.#tiers.map(async (tier) => tier.close?.()));
  }

  /** A tier that fails is skipped; only when all fail has the read failed. */
  async #read(keys: readonly string[], reading: Reading): Promise<readonly Entry[]> {
    const found = new Map<string, Public.AdapterEntry>();
    const failures: unknown[] = [];
    for (const [depth, tier] of this.#tiers.entries()) {
      const missing = [...reading.keys].filter((key) => !found.has(key));
      if (missing.length === 0) break;
      try {
        const entries = await tier.getMany(missing);
        const hits = missing.flatMap((key, index) => (entries[index] ? [{ key, ...entries[index] }] : []));
        for (const { key, value, ttl } of hits) found.set(key, { value, ttl });
        if (depth > 0) await this.#fill(this.#tiers.slice(0, depth), hits, reading);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === this.#tiers.length) throw failures[0];
    return keys.map((key) => found.get(key));
  }

  async #fill(nearer: readonly Public.ICacheAdapter[], hits: readonly Write[], reading: Reading): Promise<void> {
    const fresh = hits.filter(({ key }) => !reading.written.has(key));
    if (fresh.length === 0) return;
    // A nearer tier that cannot be filled costs speed, not the answer.
    reading.filling = Promise.allSettled(nearer.map((tier) => tier.setMany(fresh))).then(() => undefined);
    await reading.filling;
    reading.filling = undefined;
  }

  /** Runs on every tier, whatever fails; then fails if one did. */
  async #writeAll<T>(keys: readonly string[], write: (tier: Public.ICacheAdapter) => Promise<T>): Promise<T[]> {
    const concerned = [...this.#readings].filter((reading) => keys.some((key) => reading.keys.has(key)));
    for (const reading of concerned) for (const key of keys) reading.written.add(key);
    await Promise.all(concerned.map(async (reading) => reading.filling));

    const results: T[] = [];
    const failures: unknown[] = [];
    for (const tier of this.#tiers.toReversed()) {
      try {
        results.push(await write(tier));
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return results;
  }
}
