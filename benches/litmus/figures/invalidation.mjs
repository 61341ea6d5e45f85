/**
 * From a write that is acknowledged in process A to its effect in process B, on loopback, and reads of old values inside a turn of
 * the event loop that is blocked for 500 ms.
 *
 *     node benches/litmus/figures/invalidation.mjs [--systems=turbocache,…] [--writes=10000] [--blocked=1000]
 *
 * About 30 s for 10,000 writes of a system. Both ends are read from CLOCK_MONOTONIC (`process.hrtime`), which all processes of a
 * machine share: the difference needs no agreement of two clocks.
 *
 * `forgotten`: the first read in B that does not give the old value. `new`: the first that gives the new one, which takes a read of
 * Redis. B reads synchronously where the system can (`peek`), with pauses of 20 µs; else it awaits one read after another.
 * What B sees before A is told that its write is done counts as 0; `since the call` counts from the moment at which A calls `set`.
 */
import { blockedEventLoop } from '../cases/blocked-event-loop.mjs';
import { Unforced } from '../runner/member.mjs';
import { runCase } from '../runner/run-case.mjs';
import { openFigure, rig } from './figure.mjs';

/** B gives up after so many milliseconds: the write was never seen. */
const NEVER = 1_000;
/** More than these prove nothing more. */
const ENOUGH_NEVER = 20;

const { systems, number, arenaOf, row, end } = await openFigure('invalidation', { writes: 10_000, blocked: 1_000 });

for (const system of systems) {
  const arena = await arenaOf(system, { members: 2, isDirect: true });
  const [a, b] = arena.members;
  const key = arena.key();
  const [forgotten, renewed, sinceCall] = [[], [], []];
  let never = 0;
  await a.set(key, 0);
  for (let version = 1; version <= number('writes') && never < ENOUGH_NEVER; version++) {
    await keep(arena, b, key, version - 1);
    await b.run(watch, { key, old: version - 1, never: NEVER });
    const { called, acknowledged } = await a.run(write, key, version);
    const seen = await b.run((scope) => scope.seen);
    if (seen === undefined) {
      never++;
      // Another key is not burdened with what this one missed.
      await b.delete(key);
      continue;
    }
    forgotten.push(Math.max(0, Number(seen.forgotten - acknowledged) / 1e6));
    sinceCall.push(Number(seen.forgotten - called) / 1e6);
    renewed.push(Math.max(0, Number(seen.renewed - acknowledged) / 1e6));
  }
  await arena.close();
  row(system, 'forgotten', { writes: forgotten.length, ...percentiles(forgotten), 'never seen': never });
  row(system, 'forgotten, since the call', { writes: sinceCall.length, ...percentiles(sinceCall) });
  row(system, 'new', { writes: renewed.length, ...percentiles(renewed) });

  for (const litmus of blockedEventLoop) {
    const verdict = await runCase({ litmus, system, rig, repetitions: number('blocked') });
    const { state, held, violated, reason } = verdict;
    row(system, litmus.name.replace('blocked-event-loop/', 'blocked 500 ms, '), {
      state,
      held,
      violated,
      reason: reason ?? '',
    });
  }
}
end();

/** Until B holds the value in memory: only then there is something to forget. */
async function keep(arena, b, key, version) {
  const isKept = await b.run(
    async ({ cache }, key, version) => {
      for (let attempt = 0; attempt < 100; attempt++) {
        if ((await cache.get(key)) === version && (cache.peek === undefined || cache.peek(key) === version))
          return true;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return false;
    },
    key,
    version,
  );
  if (!isKept && arena.system.lacks.memory === undefined)
    throw new Unforced(`${arena.system.name} does not keep ${key} in the memory of B`);
}

/** Runs in A. */
async function write({ cache }, key, version) {
  const called = process.hrtime.bigint();
  await cache.set(key, version);
  return { called, acknowledged: process.hrtime.bigint() };
}

/** Runs in B: begins to look as soon as it has answered. */
function watch(scope, { key, old, never }) {
  const { cache } = scope;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const isOver = (end) => performance.now() > end;
  const look = async () => {
    const end = performance.now() + never;
    if (cache.peek !== undefined) while (cache.peek(key) === old && !isOver(end)) Atomics.wait(pause, 0, 0, 0.02);
    else while ((await cache.get(key)) === old && !isOver(end)) await new Promise(setImmediate);
    const forgotten = process.hrtime.bigint();
    while ((await cache.get(key)) !== old + 1) {
      if (isOver(end)) return undefined;
      await new Promise(setImmediate);
    }
    return { forgotten, renewed: process.hrtime.bigint() };
  };
  scope.seen = new Promise((resolve) => setImmediate(() => resolve(look())));
}

function percentiles(times) {
  const sorted = times.toSorted((x, y) => x - y);
  const at = (fraction) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))];
  return { 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'max ms': sorted.at(-1) };
}
