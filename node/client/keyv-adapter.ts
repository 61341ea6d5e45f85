/** Any Keyv store (5 or 6) as the remote tier. */
import type * as Public from '../../index';
import { CONFIGURATION, hasMethods, refuse } from './option-check';
import { pack, storeTtl, unpack } from './stored-envelope';

const EXPECTED = 'a Keyv instance: an object with get(), set() and delete()';

export class KeyvAdapter implements Public.KeyvAdapter {
  readonly name = 'keyv' as const;
  readonly #keyv: Public.KeyvLike;

  constructor(keyv: Public.KeyvLike) {
    if (!hasMethods(keyv, ['get', 'set', 'delete'])) refuse(CONFIGURATION, 'keyv', keyv, EXPECTED);
    this.#keyv = keyv;
  }

  async getMany(keys: readonly string[]): Promise<readonly (Public.AdapterEntry | undefined)[]> {
    const found = await this.#keyv.get([...keys]);
    return keys.map((_, index) => unpack((found as unknown[] | undefined)?.[index]));
  }

  async setMany(entries: readonly { key: string; value: Uint8Array; ttl: number | null }[]): Promise<void> {
    const stored = await Promise.all(
      entries.map(({ key, value, ttl }) => this.#keyv.set(key, pack(value, ttl), storeTtl(ttl))),
    );
    // Keyv emits the store's error and answers `false`, unless `throwOnErrors` is set.
    if (stored.includes(false)) throw new Error('the Keyv store refused a write; its "error" event says why');
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return Promise.all(keys.map(async (key) => (await this.#keyv.delete(key)) === true));
  }

  async close(): Promise<void> {
    await this.#keyv.disconnect?.();
  }
}
