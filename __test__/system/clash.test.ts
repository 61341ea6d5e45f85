/** Two managers of one process on one namespace share an engine: options that differ are said, and change nothing. */
import { once } from 'node:events';
import { CacheManager, type TurboCacheError } from 'turbocache-js';
import { expect, it } from 'vitest';

it('a manager that asks for other options of a shared namespace is warned with both values', async () => {
  const first = new CacheManager({ namespace: 'clash', memory: { maxBytes: '2mb' } });
  const second = new CacheManager({ namespace: 'clash', memory: { maxBytes: '1mb' } });
  const [warning] = (await once(second, 'warning')) as [TurboCacheError];
  expect(warning.code).toBe('E_TURBOCACHE_CLASH');
  expect(warning.option).toBe('memory');
  expect(warning.got).toBe('1048576 bytes, s3-fifo');
  expect(warning.expected).toBe('2097152 bytes, s3-fifo');
  await first.set('key', 'value');
  expect(await second.get('key')).toBe('value');
  await Promise.all([first.close(), second.close()]);
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
