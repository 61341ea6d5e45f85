/** One case for one system: repetitions until there are enough, or time is up; then a verdict. */
import { openArena } from './arena.mjs';
import { MemberError, Unforced } from './member.mjs';

/** Sentences about violations that are kept. */
const KEPT = 3;
/** More violations prove nothing more. */
const ENOUGH = 10;
/** So often in a row a schedule may fail to come about. */
const ATTEMPTS = 5;

/** See index.d.mts. */
export async function runCase({ litmus, system, rig, repetitions, budget = Infinity, quick = false }) {
  const counts = { held: 0, violated: 0, unforced: 0, examples: [], seconds: 0 };
  const reason = litmus.needs?.map((ability) => system.lacks?.[ability]).find((lack) => lack !== undefined);
  if (reason !== undefined) return { ...counts, state: 'not applicable', reason };

  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1_000;
  const stage = new Stage({ litmus, system, rig, quick });
  let failures = 0;
  let why;
  try {
    const isDone = () => counts.held + counts.violated >= repetitions || counts.violated >= ENOUGH;
    while (!isDone() && seconds() < budget && failures < ATTEMPTS) {
      const size = Math.min(litmus.batch ?? 1, repetitions - counts.held - counts.violated);
      const answer = await stage.play(size);
      if (answer.unforced !== undefined) {
        why = answer.unforced;
        counts.unforced++;
        failures++;
        continue;
      }
      failures = 0;
      counts.violated += answer.wrong.length;
      counts.held += size - answer.wrong.length;
      counts.examples.push(...answer.wrong.slice(0, KEPT - counts.examples.length));
    }
  } finally {
    await stage.close();
  }
  const all = { ...counts, seconds: seconds() };
  if (counts.violated > 0) return { ...all, state: 'violated' };
  if (failures === ATTEMPTS || counts.held === 0)
    return { ...all, state: 'not forced', reason: why ?? 'no time was left' };
  return { ...all, state: 'held' };
}

/** Keeps an arena for as many repetitions as it can serve. */
class Stage {
  #arena;

  constructor(options) {
    Object.assign(this, options);
  }

  /** `size` forced repetitions: sentences about those that were wrong, or why they could not be forced. */
  async play(size) {
    const { litmus, system, rig, quick } = this;
    let isSpent = litmus.spendsArena ?? false;
    try {
      this.#arena ??= await openArena({ system, rig, settings: litmus.arena, quick });
      const keys = Array.from({ length: size }, () => this.#arena.key());
      const answer = await litmus.repeat(this.#arena, litmus.batch === undefined ? keys[0] : keys);
      return { wrong: [answer].flat().filter((sentence) => sentence !== undefined) };
    } catch (error) {
      // Members and proxies are in a state that nobody knows.
      isSpent = true;
      if (error instanceof Unforced) return { unforced: error.message };
      if (error instanceof MemberError) return { wrong: Array(size).fill(error.message) };
      throw error;
    } finally {
      if (isSpent) await this.close();
    }
  }

  async close() {
    await this.#arena?.close();
    this.#arena = undefined;
  }
}
