import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../node/client/duration';
import { escapeName, joinPath } from '../../node/client/key';
import { nearestName } from '../../node/client/nearest-name';
import { parseSize } from '../../node/client/size';
import fc from 'fast-check';

describe('durations', () => {
  it.each([
    [250, 250],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['1e3ms', 1_000],
    [0, 0],
    [0.2, 1],
  ])('%j is %d ms', (input, ms) => {
    expect(parseDuration(input)).toBe(ms);
  });

  it.each([-1, NaN, Infinity, '30', '30 s', '-5s', 's', '', '5M', '5w', null, true, {}, [5], 1e300])(
    '%j is no duration',
    (input) => {
      expect(parseDuration(input)).toBeUndefined();
    },
  );
});

describe('sizes', () => {
  it.each([
    [512, 512],
    ['512b', 512],
    ['64kb', 65_536],
    ['1.5mb', 1_572_864],
    ['2gb', 2_147_483_648],
  ])('%j is %d bytes', (input, bytes) => {
    expect(parseSize(input)).toBe(bytes);
  });

  it.each([-1, NaN, '64', '64 mb', '64MB', 'mb', null, Infinity])('%j is no size', (input) => {
    expect(parseSize(input)).toBeUndefined();
  });
});

describe('names', () => {
  it('a typing error is answered with the name that was meant', () => {
    expect(nearestName('maxByte', ['maxBytes', 'maxEntries'])).toBe('maxBytes');
    expect(nearestName('TTL', ['ttl', 'tags'])).toBe('ttl');
    expect(nearestName('colour', ['ttl', 'tags'])).toBeUndefined();
  });

  it('two different nestings of names never share a path', () => {
    const names = fc.array(fc.string({ minLength: 1, maxLength: 8, unit: 'binary' }), { minLength: 1, maxLength: 3 });
    const pathOf = (levels: string[]): string => levels.map((level) => escapeName('name', level)).reduce(joinPath, '');
    fc.assert(
      fc.property(names, names, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(pathOf(a)).not.toBe(pathOf(b));
      }),
    );
  });
});
