/** Five million entries that expire in masses under reads and writes: how long does the unluckiest read take? */
import { childFigures } from '../children/child-figures.mjs';

export const massExpiry = [
  {
    name: 'mass-expiry',
    title:
      'Memory: 5 M entries expire within 4 s under 50,000 writes a second (quick: 200,000 entries); one synchronous read',
    isMeasured: true,
    isOptional: true,
    rounds: ({ quick }) => (quick ? 1 : 3),
    columns: { 'p99.99': 'µs', max: 'µs', p50: 'µs', 'p99.9': 'µs' },
    entrants: [
      ['turbocache, L1 only', 'turbocache'],
      ['lru-cache with ttl', 'lruCache'],
      ['no cache: what the machine takes', 'machine'],
    ].map(([name, cache]) => async () => ({
      name,
      run: ({ quick }) =>
        childFigures('expiring.mjs', [cache, quick ? 200_000 : 5_000_000], ['--max-old-space-size=8192']),
    })),
  },
];
