/** Law 9 in one function: whatever happens to the remote tier, every call is answered in time. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { CacheManager } from '../../index';
import { within } from './elsewhere';

/** No call may take longer, whatever Redis does: far above all deadlines, because the machine may be busy. */
export const LIMIT = 8_000;

/**
 * Calls every method; each must be answered in time, and what the caller brings himself must come back. A remote tier that
 * cannot list its keys says so when it is asked for a pattern.
 */
export async function callEverything(cache: CacheManager, { listsKeys = true } = {}): Promise<void> {
  const key = randomUUID();
  const answered = <T>(what: string, promise: Promise<T>): Promise<T> => within(LIMIT, what, promise);
  await answered('set', cache.set(key, { v: 1 }, { tags: ['t'] }));
  expect([undefined, { v: 1 }]).toContainEqual(await answered('get', cache.get(key)));
  expect([undefined, { v: 1 }]).toContainEqual(cache.peek(key));
  expect([{ v: 1 }, 'loaded']).toContainEqual(
    await answered(
      'getOrSet',
      cache.getOrSet(key, () => 'loaded'),
    ),
  );
  expect(
    await answered(
      'cold getOrSet',
      cache.getOrSet(`${key}:cold`, async () => 'loaded'),
    ),
  ).toBe('loaded');
  const failing = cache.getOrSet(`${key}:failing`, () => Promise.reject(new Error('the origin')));
  await expect(answered('failing getOrSet', failing)).rejects.toThrow('the origin');
  expect(await answered('get of nothing', cache.get(`${key}:absent`))).toBeUndefined();
  await answered('has', cache.has(key));
  await answered('getEntry', cache.getEntry(key));
  await answered('expire', cache.expire(key));
  await answered('setMany', cache.setMany([{ key, value: 1 }, { key: `${key}:2`, value: 2 }])); // prettier-ignore
  expect(await answered('getMany', cache.getMany([key, `${key}:2`, `${key}:absent`]))).toHaveLength(3);
  const many = cache.getOrSetMany([`${key}:3`, `${key}:4`], (keys) => keys.map(() => 'loaded'));
  expect(await answered('getOrSetMany', many)).toEqual(['loaded', 'loaded']);
  await answered('deleteMany', cache.deleteMany([key, `${key}:2`]));
  await answered('invalidateTags', cache.invalidateTags(['t']));
  const pattern = await answered('deletePattern', cache.deletePattern(`${key}*`)).catch((error: unknown) => error);
  // 0: it could not even be asked.
  if (listsKeys || typeof pattern === 'number') expect(pattern).toEqual(expect.any(Number));
  else expect(pattern).toMatchObject({ code: 'E_TURBOCACHE_UNSUPPORTED' });
  await answered('clear', cache.clear());
  await answered('delete', cache.delete(key));
  expect(cache.peek(key)).toBeUndefined();
}
