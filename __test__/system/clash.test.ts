/** Two managers of one process on one namespace share an engine: options that differ are said, and change nothing. */
import { CacheManager, type CacheManagerOptions, type TurboCacheError } from 'turbocache-js';
import { describe, expect, it } from 'vitest';
import type { RedisOptions } from '../../index';
import { freePort } from '../rig/port';

/** What the second of two managers is told in the turn in which it is made. */
async function warningsOf(first: CacheManagerOptions, second: CacheManagerOptions): Promise<TurboCacheError[]> {
  const managers = [new CacheManager(first), new CacheManager(second)] as const;
  const warnings: TurboCacheError[] = [];
  for (const manager of managers) manager.on('error', () => {}); // where a Redis is named, none is there
  managers[1].on('warning', (warning) => warnings.push(warning));
  await new Promise(setImmediate);
  await Promise.all(managers.map((manager) => manager.close()));
  return warnings;
}

describe('a manager that asks for other options of a shared namespace is warned with both values', () => {
  const url = async (): Promise<string> => `redis://127.0.0.1:${await freePort()}`;

  it.each<[string, CacheManagerOptions, CacheManagerOptions, string, string]>([
    [
      'memory',
      { memory: { maxBytes: '2mb' } },
      { memory: { maxBytes: '1mb', eviction: 'tiny-lfu' } },
      '2097152 bytes, s3-fifo',
      '1048576 bytes, tiny-lfu',
    ],
    ['memory', {}, { memory: false }, '67108864 bytes, s3-fifo', 'off'],
    ['compression', { compression: false }, { compression: { level: 3 } }, 'off', 'level 3 from 1024 bytes on'],
    ['maxKeyBytes', {}, { maxKeyBytes: 100 }, '1024', '100'],
    ['maxValueBytes', { maxValueBytes: '1mb' }, { maxValueBytes: '2mb' }, '1048576', '2097152'],
  ])('%s', async (option, first, second, expected, got) => {
    const namespace = `clash ${option} ${got}`;
    const warnings = await warningsOf({ namespace, ...first }, { namespace, ...second });
    expect(warnings).toMatchObject([{ name: 'ConfigurationError', code: 'E_TURBOCACHE_CLASH', option, got, expected }]);
    expect(warnings[0]!.message).toContain(`${option} is ${got} here`);
    expect(warnings[0]!.message).toContain(`with ${expected}: that one stands`);
  });

  it.each<[string, RedisOptions, string, string]>([
    ['redis.connectTimeout', { connectTimeout: '2s' }, '1000 ms', '2000 ms'],
    ['redis.commandTimeout', { commandTimeout: '2s' }, '500 ms', '2000 ms'],
    ['redis.tracking', { tracking: false }, 'on', 'off'],
  ])('%s', async (option, other, expected, got) => {
    const redis = { url: await url() };
    const namespace = `clash ${option}`;
    const warnings = await warningsOf({ namespace, redis }, { namespace, redis: { ...redis, ...other } });
    expect(warnings).toMatchObject([{ code: 'E_TURBOCACHE_CLASH', option, got, expected }]);
  });

  it('once for each option that differs', async () => {
    const redis = { url: await url() };
    const namespace = 'clash of all';
    const warnings = await warningsOf(
      { namespace, redis },
      {
        namespace,
        redis: { ...redis, connectTimeout: '2s', commandTimeout: '3s', tracking: false },
        memory: { maxBytes: '1mb' },
        compression: false,
        maxKeyBytes: 100,
        maxValueBytes: '2mb',
      },
    );
    expect(warnings.map(({ option, expected, got }) => [option, expected, got])).toEqual([
      ['memory', '67108864 bytes, s3-fifo', '1048576 bytes, s3-fifo'],
      ['compression', 'level 1 from 1024 bytes on', 'off'],
      ['redis.connectTimeout', '1000 ms', '2000 ms'],
      ['redis.commandTimeout', '500 ms', '3000 ms'],
      ['redis.tracking', 'on', 'off'],
      ['maxKeyBytes', '1024', '100'],
      ['maxValueBytes', '16777216', '2097152'],
    ]);
  });
});

it('managers that do not agree share what one of them stores', async () => {
  const managers = (['2mb', '1mb'] as const).map(
    (maxBytes) => new CacheManager({ namespace: 'share', memory: { maxBytes } }),
  );
  await managers[0]!.set('key', 'value');
  expect(await managers[1]!.get('key')).toBe('value');
  await Promise.all(managers.map((manager) => manager.close()));
});

it('managers that agree are not warned, and one without a namespace shares with nobody', async () => {
  const warnings: unknown[] = [];
  const options = { namespace: 'agree', memory: { maxBytes: '2mb' } } as const;
  const managers = [new CacheManager(options), new CacheManager(options), new CacheManager(), new CacheManager()];
  for (const manager of managers) manager.on('warning', (warning) => warnings.push(warning));
  await managers[0]!.set('key', 'value');
  await managers[2]!.set('key', 'other');
  const seen = await Promise.all(managers.map((manager) => manager.get('key')));
  expect(seen).toEqual(['value', 'value', 'other', undefined]);
  expect(warnings).toEqual([]);
  await Promise.all(managers.map((manager) => manager.close()));
});
