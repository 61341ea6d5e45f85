import { startRedis } from '../redis-server.mjs';
import { calm } from './machine.mjs';
import { LARGEST_DISTURBANCE, watchNeighbours } from './neighbours.mjs';
import { Seat } from './seat.mjs';
import { summarise } from './spread.mjs';

/** Waits for calm neighbours before a scenario, and gives a disturbed one a second chance; not with `force`. */
export async function measureCalmly(scenario, stage, { force }) {
  const atMost = stage.quick ? 3_000 : 20_000;
  if (!force) await calm({ atMost });
  const result = await measure(scenario, stage);
  if (force || stage.quick || result.contestants[0].disturbed <= LARGEST_DISTURBANCE) return result;
  await calm({ atMost });
  return measure(scenario, stage);
}

/**
 * Measures the contestants of a scenario in alternating rounds: each round begins with another one, so that heat and
 * neighbours hit all alike. Every contestant has a process of its own: its call sites see one cache, its heap is its own,
 * and the CPU time of its threads is not mixed with another's. While one runs, the others wait for a message.
 *
 * A scenario:
 * - `name`, `title`, and `entrants`: functions that open one contestant, see `seat-process.mjs`;
 * - `expected(index)`: what a contestant's `read(index)` must give;
 * - `unit`: what a number of operations is a multiple of;
 * - `needsRedis`: an empty server is started for it;
 * - `isMeasured`: `run` gives its figures itself, once a round, and nothing is timed around it;
 * - `columns`: figure → unit, the first one is compared; `rounds(stage)`: instead of the usual number.
 */
export async function measure(scenario, stage) {
  const redis = scenario.needsRedis ? await startRedis() : undefined;
  const settings = {
    quick: stage.quick,
    milliseconds: stage.milliseconds,
    warmUp: stage.warmUp,
    redis: redis && { port: redis.port, url: redis.url },
  };
  const seats = scenario.entrants.map((_, index) => new Seat(scenario, index, settings));
  try {
    // Together: it takes long, and is not measured.
    await Promise.all(seats.map((seat) => seat.open()));
    for (const seat of seats) await seat.warmUp();
    const neighbours = watchNeighbours([...seats, ...(redis ? [redis] : [])].map(({ pid }) => pid));
    const rounds = scenario.rounds?.(stage) ?? stage.rounds;
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < seats.length; turn++) await seats[(turn + round) % seats.length].turn();
    }
    const disturbed = neighbours();
    return {
      name: scenario.name,
      title: scenario.title,
      columns: columnsOf(scenario),
      rounds,
      contestants: seats.map((seat) => outcome(seat, disturbed)),
    };
  } finally {
    await Promise.all(seats.map((seat) => seat.close()));
    await redis?.stop();
  }
}

export const columnsOf = ({ columns }) => columns ?? { wall: 'ns', cpu: 'ns', loop: 'ns' };

function outcome({ name, operations, turns, fault }, disturbed) {
  const figures = {};
  for (const figure of Object.keys(turns[0] ?? {})) figures[figure] = summarise(turns.map((turn) => turn[figure]));
  return { name, operations, fault, disturbed, figures };
}
