import { expect, it } from 'vitest';
import { read } from './layers/source';

it.each(['', '__test__/nest-11/', '__test__/integrations/'])(
  '%spackage-lock.json names versions and hashes, not a registry',
  (folder) => {
    const lock = JSON.parse(read(`${folder}package-lock.json`).text) as { packages: Record<string, object> };
    const installed = Object.entries(lock.packages).filter(([place]) => place !== '');
    expect(installed.length).toBeGreaterThan(100);
    expect(installed.filter(([, entry]) => 'resolved' in entry)).toEqual([]);
    expect(installed.filter(([, entry]) => !('integrity' in entry) && !('link' in entry))).toEqual([]);
  },
);
