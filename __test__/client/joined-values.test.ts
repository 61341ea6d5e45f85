import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JoinedValues } from '../../node/client/joined-values';

// The values of a drain as one text, `[a,n,b,n,c]`: what the engine writes, and what it may not become.

const HEAD = 12;
const NUMBER = 731_205_118;

/** As the engine writes them. */
function joined(texts: readonly string[], number = NUMBER): JoinedValues {
  const text = `[${texts.join(`,${number},`)}]`;
  const memory = new ArrayBuffer(HEAD + text.length);
  Buffer.from(memory).write(text, HEAD, 'latin1');
  new Int32Array(memory, 0, 3).set([text.length, texts.length, number]);
  return new JoinedValues(memory);
}

const takeAll = (values: JoinedValues, texts: readonly string[]): unknown[] =>
  texts.map(() => values.take(values.next()));

describe('joined values', () => {
  it('are each their own', () => {
    const texts = ['1', '{"a":[1,2]}', '"],["', String(NUMBER), '[]', ' null '];
    expect(takeAll(joined(texts), texts)).toEqual(texts.map((text) => JSON.parse(text) as unknown));
  });

  it('are given out once', () => {
    const values = joined(['{}', '{}']);
    expect(values.take(0)).toEqual({});
    expect(values.take(0)).toBeUndefined();
  });

  it('are those of the text that was written last', () => {
    const memory = new ArrayBuffer(64);
    const values = new JoinedValues(memory);
    for (const text of ['[1]', '[22]']) {
      values.renew();
      Buffer.from(memory).write(text, HEAD);
      new Int32Array(memory, 0, 3).set([text.length, 1, NUMBER]);
      expect(values.take(values.next())).toBe(JSON.parse(text.slice(1, -1)));
    }
  });

  it.each([
    [['1,2', '3']],
    [['[1', '2]']],
    [['[1', '2],3']],
    [['[1', '2],3,4']],
    [['[1', '"good"', '2],0,0,0,0']],
    [['0,0,0,0,[1', '"good"', '2]']],
    [['0,1', '[2', '3],4']],
    [['"a', 'b",1,2']],
    [['"a', 'b"']],
    [['{"a":1', '"b":2},3,4']],
    [['1],[2', '3']],
    [['', '1,2']],
    [[`1,${NUMBER - 1},2`, '[3', '4]']],
  ])('of %j are all left to be parsed one by one', (texts) => {
    expect(takeAll(joined(texts), texts)).toEqual(texts.map(() => undefined));
  });

  it('are right or not there, whatever the texts are', () => {
    const piece = fc.constantFrom('[', ']', ',', '"', '{', '}', ':', '0', '"a"', ' ', '\\', '1,2', '],[', 'null');
    const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (texts) => {
        const taken = takeAll(joined(texts), texts);
        if (taken.some((value) => value !== undefined)) {
          expect(taken).toEqual(texts.map((one) => JSON.parse(one) as unknown));
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
