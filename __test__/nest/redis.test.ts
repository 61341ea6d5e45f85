import { Injectable } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { TurboCache, TurboCacheEvict } from 'turbocache-js/nest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { startWith } from './fixture';

// Two applications with memories of their own over one Redis, as two processes would be. The row is their database.

const rows = new Map<number, string>();

@Injectable()
class Users {
  calls = 0;

  @TurboCache({ key: 'user:#{id}', tags: ['letter:#{result.name.0}'] })
  async find(id: number): Promise<{ id: number; name: string | undefined }> {
    this.calls += 1;
    return { id, name: rows.get(id) };
  }

  @TurboCacheEvict('user:#{id}')
  async rename(id: number, name: string): Promise<void> {
    rows.set(id, name);
  }

  @TurboCacheEvict({ tags: ['letter:#{letter}'] })
  async dropLetter(letter: string): Promise<string> {
    return letter;
  }
}

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function twoApplications(version: string) {
  // Without a namespace each manager keeps its memory to itself; the version keeps the tests apart.
  // A busy machine may be late: what a deadline costs is the subject of other tests.
  const options = { redis: { url: redis.url, commandTimeout: '10s' as const }, version };
  const [one, other] = [await startWith([Users], options), await startWith([Users], options)];
  await Promise.all([one, other].map(({ app }) => app.get(CacheManager).ready()));
  rows.set(1, 'Ada');
  return { one: one.app.get(Users), other: other.app.get(Users), failures: [one.failures, other.failures].flat() };
}

/** Asks until the answer is as expected: how soon that must be is the subject of the coherence tests. */
async function eventually<T>(ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('what one application has loaded is a hit in the other', async () => {
  const { one, other, failures } = await twoApplications('hit');
  expect(await one.find(1)).toEqual({ id: 1, name: 'Ada' });
  expect(await other.find(1)).toEqual({ id: 1, name: 'Ada' });
  expect([one.calls, other.calls]).toEqual([1, 0]);
  expect(failures).toEqual([]);
});

it('what one application evicts is gone from the other, by key and by tag', async () => {
  const { one, other } = await twoApplications('evict');
  await one.find(1);
  await other.find(1);
  await one.rename(1, 'Grace');
  expect(
    (
      await eventually(
        () => other.find(1),
        ({ name }) => name === 'Grace',
      )
    ).name,
  ).toBe('Grace');

  rows.set(1, 'Alan');
  await one.dropLetter('G');
  expect(
    (
      await eventually(
        () => other.find(1),
        ({ name }) => name === 'Alan',
      )
    ).name,
  ).toBe('Alan');
});

it('a server that goes away fails no method', async () => {
  const { one, other } = await twoApplications('gone');
  await one.find(1);
  await redis.stop();
  expect(await one.find(1)).toEqual({ id: 1, name: 'Ada' });
  expect(await other.find(1)).toEqual({ id: 1, name: 'Ada' });
  await expect(other.rename(1, 'Grace')).resolves.toBeUndefined();
});
