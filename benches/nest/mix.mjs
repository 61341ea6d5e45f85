/** What a service of places is asked: mostly the well-known ones, now and then a rare one; the same list in every run. */
import cities from '../../examples/cities/dist/data/world-places.js';
import demo from '../../examples/cities/dist/demo/workload.js';

/** Of a hundred requests so many are for one place, its neighbourhood, a search, a country, the ranking. */
const SHARES = [
  [60, ({ id }) => demo.byId(id)],
  [15, ({ latitude, longitude }) => demo.nearest(latitude, longitude)],
  [10, ({ name }) => demo.search(name.slice(0, 3).trim().toLowerCase() || 'a')],
  [14, ({ country }) => demo.statistics(country)],
  [1, ({ rank }) => demo.ranking((rank % 10) * 1_000)],
];

/** Zipf with exponent 1: the place of rank r is asked with a weight of 1/r. */
export function mixOf(limit, count) {
  const places = cities.worldPlaces(limit).map((place, rank) => ({ ...place, rank }));
  const sums = [];
  let sum = 0;
  for (let rank = 1; rank <= places.length; rank++) sums.push((sum += 1 / rank));
  const random = seeded(20_261_123);
  return Array.from({ length: count }, () => {
    const place = places[firstAtLeast(sums, random() * sum)];
    let left = random() * 100;
    const [, query] = SHARES.find(([share]) => (left -= share) < 0) ?? SHARES[0];
    return query(place).path;
  });
}

function firstAtLeast(sums, wanted) {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** mulberry32 */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
