import { performance } from 'node:perf_hooks';

/**
 * One turn of one contestant: `operations` of them, as figures an operation.
 * `wall` is what a caller waits, `cpu` what all threads of this process burn, `loop` what is taken from the event loop.
 * A `run` that measures by itself returns its own figures, which are added. Garbage is collected when V8 finds it time to, as in any
 * program, and each contestant pays for its own: a collection that is forced before each turn makes the young generation
 * small again, and what allocates much costs up to 1.6 times as much then (a miss of cacheable 23 µs of CPU instead of 14).
 */
export async function timedTurn(run, operations) {
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const start = performance.now();
  const own = await run(operations);
  const milliseconds = performance.now() - start;
  const { active } = performance.eventLoopUtilization(loop);
  const { user, system } = process.cpuUsage(cpu);
  return {
    milliseconds,
    figures: {
      wall: (milliseconds * 1e6) / operations,
      cpu: ((user + system) * 1e3) / operations,
      loop: (active * 1e6) / operations,
      ...own,
    },
  };
}

/** Turns without a gain after which a contestant counts as warm. */
const STEADY = 3;
/** What counts as a gain, and how much longer than the least the warm-up may take. */
const GAIN = 0.95;
const LONGEST = 6;

/**
 * Warms a contestant up, and finds how many operations take `milliseconds`. The compiler works by what it has seen: a path of
 * a hundred functions, such as a miss, needs thousands of operations before all of them are compiled, and costs three times
 * as much until then. So it runs for at least `warmUp` milliseconds, and on until it has not become faster for some turns.
 */
export async function calibrate(run, { unit, milliseconds, warmUp = 0 }) {
  const start = performance.now();
  let [operations, best, steady] = [unit, Infinity, 0];
  for (let attempt = 0; ; attempt++) {
    const turn = await timedTurn(run, operations);
    const cost = turn.milliseconds / operations;
    steady = cost < best * GAIN ? 0 : steady + 1;
    best = Math.min(best, cost);

    const factor = milliseconds / Math.max(turn.milliseconds, 0.05);
    const fits = factor > 0.75 && factor < 1.3;
    const passed = performance.now() - start;
    const isWarm = passed >= warmUp && attempt > 1 && (steady >= STEADY || passed >= LONGEST * warmUp);
    if (isWarm && (fits || attempt >= 20)) return operations;
    operations = Math.max(1, Math.round((operations / unit) * Math.min(factor, 8))) * unit;
  }
}
