/** `draws` numbers below `items`; number k is drawn in proportion to 1 / (k + 1) ^ exponent. The same seed, the same draws. */
export function zipf({ items, exponent, draws, seed }) {
  const sums = new Float64Array(items);
  let total = 0;
  for (let item = 0; item < items; item++) sums[item] = total += 1 / (item + 1) ** exponent;
  const random = mulberry32(seed);
  return Uint32Array.from({ length: draws }, () => firstAbove(sums, random() * total));
}

function firstAbove(sums, wanted) {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Tommy Ettinger's mulberry32: 32 bits of state are enough for a list of keys. */
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
