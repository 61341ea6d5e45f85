/**
 * The loop of a contestant, from an expression that reads `cache`, `key`, `index` and `loader` and gives a user: no adapter
 * stands between loop and cache, where a call would cost as much as a hit.
 *
 * The ids are summed, so that no read can be left out and every value takes part in the check: `operations` is a multiple of
 * the number of keys, hence the sum is known.
 */
import { WrongValue } from './wrong-value.mjs';

export function compiledLoop({ cache, loader }, keys, expression) {
  const body = `return ${expression.includes('await ') ? 'async ' : ''}(operations) => {
    let sum = 0;
    for (let at = 0; at < operations; at++) {
      const index = at & ${keys.length - 1};
      const key = keys[index];
      sum += (${expression}).id;
    }
    return sum;
  }`;
  const loop = new Function('cache', 'loader', 'keys', body)(cache, loader, keys);
  return async (operations) => {
    const sum = await loop(operations);
    const expected = (operations * (keys.length - 1)) / 2;
    if (sum !== expected) throw new WrongValue(`the ids sum up to ${sum} instead of ${expected}`);
  };
}

/** One read of the same expression, for the comparison of whole values. */
export function compiledRead({ cache, loader }, keys, expression) {
  const body = `return async (index) => { const key = keys[index]; return ${expression}; }`;
  return new Function('cache', 'loader', 'keys', body)(cache, loader, keys);
}
