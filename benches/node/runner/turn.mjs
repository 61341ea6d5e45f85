import { performance } from 'node:perf_hooks';
import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');

/**
 * One turn of one contestant: `operations` of them, as figures an operation.
 * `wall` is what a caller waits, `cpu` what all threads of this process burn, `loop` what is taken from the event loop.
 * A `run` that measures by itself returns its own figures, which are added.
 */
export async function timedTurn(run, operations) {
  collectGarbage();
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

/**
 * Warms a contestant up, and finds how many operations take `milliseconds`. The compiler works by what it has seen: a path of
 * a hundred functions, such as a miss, needs thousands of operations before all of them are compiled, and costs three times
 * as much until then. So it runs for at least `warmUp` milliseconds, and until the number of operations has settled.
 */
export async function calibrate(run, { unit, milliseconds, warmUp = 0 }) {
  let operations = unit;
  const end = performance.now() + warmUp;
  for (let attempt = 0; attempt < 12 || performance.now() < end; attempt++) {
    const turn = await timedTurn(run, operations);
    const factor = milliseconds / Math.max(turn.milliseconds, 0.05);
    if (factor > 0.8 && factor < 1.3 && attempt > 1 && performance.now() >= end) break;
    operations = Math.max(1, Math.round((operations / unit) * Math.min(factor, 8))) * unit;
  }
  return operations;
}
