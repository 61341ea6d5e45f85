/**
 * Which arguments a method is usually called with at which hour of the day (UTC). For each of them and each hour: the number of
 * calls in that hour, where every day that has passed since counts half. So three days of a habit outweigh one exception,
 * and a habit that has ended is forgotten within days.
 */
import { textOf } from './hot-keys';

const HOUR = 3_600_000;
const HOURS = 24;

interface Habit {
  readonly args: readonly unknown[];
  /** By hour of the day. */
  readonly counts: number[];
  /** The day at which the count of that hour was last brought up to date. */
  readonly days: number[];
}

/** A history as JSON; arguments that JSON does not give back as they were are left out. */
export interface SavedHistory {
  readonly version: 1;
  readonly habits: readonly {
    readonly args: readonly unknown[];
    readonly counts: readonly number[];
    readonly days: readonly number[];
  }[];
}

export class AccessHistory {
  readonly #habits = new Map<string, Habit>();

  /** @param capacity Most arguments that are remembered; the least used one makes room. */
  constructor(private readonly capacity = 1_000) {}

  /**
   * @param at Milliseconds since 1970.
   * @param calls How many calls this one stands for, when only some are recorded.
   */
  record(args: readonly unknown[], at: number, calls = 1): void {
    const text = textOf(args);
    if (text === undefined) return;
    const habit = this.#habits.get(text) ?? this.#add(text, args, at);
    const { hour, day } = timeOf(at);
    habit.counts[hour] = countAt(habit, hour, day) + calls;
    habit.days[hour] = day;
  }

  /** Calls to be expected in the hour of `at`. */
  expected(args: readonly unknown[], at: number): number {
    const habit = this.#habits.get(textOf(args) ?? '');
    const { hour, day } = timeOf(at);
    return habit === undefined ? 0 : countAt(habit, hour, day);
  }

  /** The arguments that the hour of `at` will bring, the likeliest first: at most `limit`, each with at least `minimum` calls expected. */
  likely(at: number, limit: number, minimum = 1): (readonly unknown[])[] {
    const { hour, day } = timeOf(at);
    return [...this.#habits.values()]
      .map((habit) => ({ habit, calls: countAt(habit, hour, day) }))
      .filter(({ calls }) => calls >= minimum)
      .sort((a, b) => b.calls - a.calls)
      .slice(0, limit)
      .map(({ habit }) => habit.args);
  }

  toJSON(): SavedHistory {
    const habits = [...this.#habits].filter(([text, { args }]) => survivesJson(text, args));
    return { version: 1, habits: habits.map(([, habit]) => habit) };
  }

  /** Adds what was saved; anything else is ignored. */
  restore(saved: unknown): void {
    const { version, habits } = (saved ?? {}) as Partial<SavedHistory>;
    if (version !== 1 || !Array.isArray(habits)) return;
    for (const { args, counts, days } of habits as SavedHistory['habits']) {
      const text = Array.isArray(args) ? textOf(args) : undefined;
      if (text === undefined || this.#habits.has(text) || this.#habits.size >= this.capacity) continue;
      if (areHours(counts) && areHours(days)) this.#habits.set(text, { args, counts: [...counts], days: [...days] });
    }
  }

  #add(text: string, args: readonly unknown[], at: number): Habit {
    if (this.#habits.size >= this.capacity) this.#forgetLeast(timeOf(at).day);
    const habit = { args, counts: new Array<number>(HOURS).fill(0), days: new Array<number>(HOURS).fill(0) };
    this.#habits.set(text, habit);
    return habit;
  }

  #forgetLeast(day: number): void {
    let [least, count] = ['', Infinity];
    for (const [text, habit] of this.#habits) {
      const all = habit.counts.reduce((sum, _, hour) => sum + countAt(habit, hour, day), 0);
      if (all < count) [least, count] = [text, all];
    }
    this.#habits.delete(least);
  }
}

function countAt({ counts, days }: Habit, hour: number, day: number): number {
  return (counts[hour] ?? 0) / 2 ** Math.max(0, day - (days[hour] ?? 0));
}

function timeOf(at: number): { hour: number; day: number } {
  const hours = Math.floor(at / HOUR);
  return { hour: hours % HOURS, day: Math.floor(hours / HOURS) };
}

function areHours(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length === HOURS && value.every((each) => Number.isFinite(each));
}

function survivesJson(text: string, args: readonly unknown[]): boolean {
  try {
    return textOf(JSON.parse(JSON.stringify(args)) as unknown[]) === text;
  } catch {
    return false;
  }
}
