/** What an entry costs: each round fills a cache in a fresh process and looks at its resident memory. */
import { childFigures } from '../children/child-figures.mjs';
import { userOf } from '../values.mjs';

export const memory = [
  filled('memory-strings', 'strings of 100 bytes', 'string', { full: 1_000_000, quick: 200_000 }),
  filled('memory-objects', `objects of ${JSON.stringify(userOf(0)).length} bytes as JSON`, 'object', {
    full: 300_000,
    quick: 50_000,
  }),
];

function filled(name, title, kind, { full, quick }) {
  const entrant = (label, cache) => async () => ({
    name: label,
    run: (stage) => childFigures('filled.mjs', [cache, kind, stage.quick ? quick : full]),
  });
  return {
    name,
    title: `Memory: ${full.toLocaleString('en')} ${title} (quick: ${quick.toLocaleString('en')})`,
    isMeasured: true,
    rounds: ({ quick }) => (quick ? 1 : 3),
    columns: { rss: 'MB', entry: 'bytes', overhead: 'bytes', heap: 'MB' },
    entrants: [
      entrant('turbocache, L1 only', 'turbocache'),
      entrant('Map, no ttl', 'map'),
      entrant('lru-cache', 'lruCache'),
      entrant('cacheable', 'cacheable'),
    ],
  };
}
