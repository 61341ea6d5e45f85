/** What every adapter must do. Run against each of ours, over real stores. */
import { expect, it } from 'vitest';
import type { ICacheAdapter } from '../../index';

const bytes = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);

export function adapterContract(make: () => ICacheAdapter | Promise<ICacheAdapter>): void {
  const values = async (adapter: ICacheAdapter, ...keys: string[]): Promise<(number[] | undefined)[]> =>
    (await adapter.getMany(keys)).map((entry) => entry && [...entry.value]);

  it('has a name', async () => {
    expect((await make()).name).toMatch(/./);
  });

  it('gives back the bytes it was given, all 256 of them, in the order of the keys', async () => {
    const adapter = await make();
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    await adapter.setMany([
      { key: 'a', value: all, ttl: 60_000 },
      { key: 'b', value: bytes(), ttl: null },
      { key: 'a:b{c}/é 😀', value: bytes(1), ttl: 60_000 },
    ]);
    expect(await values(adapter, 'a:b{c}/é 😀', 'missing', 'b', 'a', 'a')).toEqual([
      [1],
      undefined,
      [],
      [...all],
      [...all],
    ]);
  });

  it('tells the remaining life, not the whole ttl, and null for never', async () => {
    const adapter = await make();
    await adapter.setMany([
      { key: 'a', value: bytes(1), ttl: 60_000 },
      { key: 'b', value: bytes(1), ttl: null },
    ]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const [a, b] = await adapter.getMany(['a', 'b']);
    expect(a!.ttl).toBeLessThan(59_995);
    expect(a!.ttl).toBeGreaterThan(50_000);
    expect(b!.ttl).toBeNull();
  });

  it('does not give back what is expired', async () => {
    const adapter = await make();
    await adapter.setMany([{ key: 'a', value: bytes(1), ttl: 15 }]);
    await expect.poll(() => values(adapter, 'a')).toEqual([undefined]);
  });

  it('replaces value and ttl', async () => {
    const adapter = await make();
    await adapter.setMany([{ key: 'a', value: bytes(1), ttl: 60_000 }]);
    await adapter.setMany([{ key: 'a', value: bytes(2), ttl: null }]);
    const [a] = await adapter.getMany(['a']);
    expect(a).toMatchObject({ ttl: null });
    expect([...a!.value]).toEqual([2]);
  });

  it('removes, and tells for each key whether there was something', async () => {
    const adapter = await make();
    await adapter.setMany([
      { key: 'a', value: bytes(1), ttl: null },
      { key: 'b', value: bytes(1), ttl: null },
    ]);
    expect(await adapter.deleteMany(['a', 'missing'])).toEqual([true, false]);
    expect(await values(adapter, 'a', 'b')).toEqual([undefined, [1]]);
  });

  it('keeps bytes of its own', async () => {
    const adapter = await make();
    const value = bytes(1);
    await adapter.setMany([{ key: 'a', value, ttl: null }]);
    value[0] = 9;
    const [first] = await adapter.getMany(['a']);
    first!.value[0] = 8;
    expect(await values(adapter, 'a')).toEqual([[1]]);
  });

  it('does nothing for no keys', async () => {
    const adapter = await make();
    await adapter.setMany([]);
    expect(await adapter.getMany([])).toEqual([]);
    expect(await adapter.deleteMany([])).toEqual([]);
  });
}
