/** A Cacheable instance as the remote tier, layered below TurboCache's own tiers. */
import type * as Public from '../../index';
import { CONFIGURATION, hasMethods, refuse } from './option-check';
import { pack, storeTtl, unpack } from './stored-envelope';

const EXPECTED = 'a Cacheable instance: an object with get(), set() and delete()';

export class CacheableAdapter implements Public.CacheableAdapter {
  readonly name = 'cacheable' as const;
  readonly #cacheable: Public.CacheableLike;

  constructor(cacheable: Public.CacheableLike) {
    if (!hasMethods(cacheable, ['get', 'set', 'delete'])) refuse(CONFIGURATION, 'cacheable', cacheable, EXPECTED);
    this.#cacheable = cacheable;
  }

  async getMany(keys: readonly string[]): Promise<readonly (Public.AdapterEntry | undefined)[]> {
    return Promise.all(keys.map(async (key) => unpack(await this.#cacheable.get(key))));
  }

  async setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void> {
    const stored = await Promise.all(
      entries.map(({ key, value, ttl }) => this.#cacheable.set(key, pack(value, ttl), storeTtl(ttl))),
    );
    // Cacheable emits its stores' errors and answers `false`.
    if (stored.includes(false)) throw new Error('Cacheable refused a write; its "error" event says why');
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return Promise.all(
      keys.map(async (key) => {
        // Cacheable answers `true` whether there was something or not.
        const found = unpack(await this.#cacheable.get(key)) !== undefined;
        await this.#cacheable.delete(key);
        return found;
      }),
    );
  }

  async close(): Promise<void> {
    await this.#cacheable.disconnect?.();
  }
}
