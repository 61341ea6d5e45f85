/** What a package costs before it has done anything: time to import and open, memory, size on disk with what it depends on. */
import { childFigures } from '../children/child-figures.mjs';
import { installedSize, ownSize } from '../children/installed-size.mjs';

const PACKAGES = [
  ['lru-cache', ['lru-cache']],
  ['async-cache-dedupe', ['async-cache-dedupe']],
  ['cacheable', ['cacheable']],
  ['cache-manager + Keyv', ['cache-manager', 'keyv']],
  ['bentocache', ['bentocache']],
  ['ioredis', ['ioredis-6']],
  ['node-redis', ['redis']],
  ['valkey-glide', ['@valkey/valkey-glide', '@valkey/valkey-glide-linux-x64-gnu']],
];

export const startUp = [
  {
    name: 'start-up',
    title: 'Start-up: a fresh process imports the package and opens a cache (clients of Redis: import alone)',
    isMeasured: true,
    rounds: ({ quick }) => (quick ? 3 : 9),
    columns: { import: 'ms', open: 'ms', rss: 'MB', disk: 'MB' },
    entrants: [
      entrant('turbocache', 'turbocache', ownSize),
      ...PACKAGES.map(([name, packages]) => entrant(name, packages[0], () => installedSize(packages))),
    ],
  },
];

function entrant(name, subject, size) {
  return async () => {
    const disk = size() / 2 ** 20;
    return { name, run: async () => ({ ...(await childFigures('start-up.mjs', [subject])), disk }) };
  };
}
