import { AccessHistory } from 'turbocache-js/warming';
import { describe, expect, it } from 'vitest';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 5);
const at = (day: number, hour: number): number => START + day * DAY + hour * HOUR;

/** Two weeks of a shop: prices every morning at eight, the report on every evening, one campaign on one afternoon. */
function recorded(): AccessHistory {
  const history = new AccessHistory();
  for (let day = 0; day < 14; day += 1) {
    history.record(['prices'], at(day, 8), 400);
    history.record(['report', { of: 'today' }], at(day, 20), 50);
    if (day === 9) history.record(['campaign'], at(day, 15), 1_000);
  }
  return history;
}

describe('a recorded history', () => {
  it('tells what the hour will bring', () => {
    const history = recorded();
    expect(history.likely(at(14, 8), 10, 10)).toEqual([['prices']]);
    expect(history.likely(at(14, 20) + HOUR / 2, 10, 10)).toEqual([['report', { of: 'today' }]]);
    expect(history.likely(at(14, 3), 10, 10)).toEqual([]);
  });

  it('has habits outweigh what happened once, and forgets it within days', () => {
    const history = recorded();
    expect(history.expected(['campaign'], at(10, 15))).toBe(500);
    expect(history.expected(['campaign'], at(14, 15))).toBeCloseTo(31.25);
    expect(history.expected(['prices'], at(14, 8))).toBeGreaterThan(399);
    expect(history.likely(at(18, 15), 10, 10)).toEqual([]);
  });

  it('forgets a habit that has ended', () => {
    const history = recorded();
    expect(history.likely(at(14, 8), 1, 10)).toEqual([['prices']]);
    expect(history.likely(at(21, 8), 1, 10)).toEqual([]);
  });

  it('names the likeliest first, and no more than it is asked for', () => {
    const history = new AccessHistory();
    for (let id = 0; id < 10; id += 1) history.record([id], at(0, 8), id + 1);
    expect(history.likely(at(0, 8), 3)).toEqual([[9], [8], [7]]);
  });

  it('knows arguments by what they hold', () => {
    const history = new AccessHistory();
    history.record([{ a: 1, b: 2 }], START, 3);
    history.record([{ b: 2, a: 1 }], START, 4);
    expect(history.expected([{ a: 1, b: 2 }], START)).toBe(7);
    history.record([() => 1], START);
    expect(history.likely(START, 10)).toHaveLength(1);
  });

  it('remembers so many, and lets the least used go', () => {
    const history = new AccessHistory(2);
    history.record(['often'], START, 10);
    history.record(['seldom'], START, 1);
    history.record(['new'], START, 2);
    expect(history.likely(START, 10)).toEqual([['often'], ['new']]);
  });

  it('survives as JSON, except what JSON does not give back', () => {
    const history = recorded();
    history.record([new Date(0)], at(13, 8), 1_000);
    const restored = new AccessHistory();
    restored.restore(JSON.parse(JSON.stringify(history)));
    expect(restored.likely(at(14, 8), 10, 10)).toEqual([['prices']]);
    expect(restored.expected(['report', { of: 'today' }], at(14, 20))).toBe(
      history.expected(['report', { of: 'today' }], at(14, 20)),
    );
  });

  it.each([
    undefined,
    null,
    5,
    {},
    { version: 2, habits: [] },
    { version: 1, habits: [{ args: 1 }, { args: [], counts: [] }] },
  ])('ignores what was not saved by it: %o', (saved) => {
    const history = new AccessHistory();
    history.restore(saved);
    expect(history.toJSON().habits).toEqual([]);
  });
});
