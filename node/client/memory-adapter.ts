/** The smallest adapter: entries in a `Map`, the oldest written goes first when it is full. */
import type * as Public from '../../index';
import { CONFIGURATION, checkNames, integer } from './option-check';

interface Stored {
  readonly value: Uint8Array;
  /** On `performance.now()`'s clock, which nobody can set back; `Infinity` = never. */
  readonly goneAt: number;
}

export class MemoryAdapter implements Public.MemoryAdapter {
  readonly name = 'memory' as const;
  readonly #entries = new Map<string, Stored>();
  readonly #maxEntries: number;

  constructor(options: { maxEntries?: number } = {}) {
    const { maxEntries } = checkNames<{ maxEntries?: number }>(CONFIGURATION, '', options, ['maxEntries']);
    this.#maxEntries =
      maxEntries === undefined
        ? Infinity
        : integer(CONFIGURATION, 'maxEntries', maxEntries, 1, Number.MAX_SAFE_INTEGER);
  }

  getMany(keys: readonly string[]): Promise<readonly (Public.AdapterEntry | undefined)[]> {
    const now = performance.now();
    return Promise.resolve(keys.map((key) => this.#find(key, now)));
  }

  setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void> {
    const now = performance.now();
    for (const { key, value, ttl } of entries) {
      this.#entries.delete(key);
      if (this.#entries.size >= this.#maxEntries) this.#dropOldest();
      this.#entries.set(key, { value: value.slice(), goneAt: ttl === null ? Infinity : now + ttl });
    }
    return Promise.resolve();
  }

  deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    const now = performance.now();
    return Promise.resolve(
      keys.map((key) => {
        const found = this.#find(key, now) !== undefined;
        this.#entries.delete(key);
        return found;
      }),
    );
  }

  #find(key: string, now: number): Public.AdapterEntry | undefined {
    const stored = this.#entries.get(key);
    if (stored === undefined) return undefined;
    const ttl = stored.goneAt - now;
    if (ttl <= 0) {
      this.#entries.delete(key);
      return undefined;
    }
    return { value: stored.value.slice(), ttl: ttl === Infinity ? null : ttl };
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
