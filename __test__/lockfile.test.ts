import { expect, it } from 'vitest';
import { read } from './layers/source';

it('the lockfile names versions and hashes, not a registry', () => {
  const lock = JSON.parse(read('package-lock.json').text) as { packages: Record<string, object> };
  const installed = Object.entries(lock.packages).filter(([place]) => place !== '');
  expect(installed.length).toBeGreaterThan(100);
  expect(installed.filter(([, entry]) => 'resolved' in entry)).toEqual([]);
  expect(installed.filter(([, entry]) => !('integrity' in entry) && !('link' in entry))).toEqual([]);
});
