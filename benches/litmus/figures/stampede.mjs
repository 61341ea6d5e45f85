/**
 * A cold key and all at once: 8 processes with 1,000 callers each. How often the loader runs, and what happens when the process that
 * loads is killed with kill -9.
 *
 *     node benches/litmus/figures/stampede.mjs [--systems=turbocache,bentocache,cacheable,cache-manager]
 *                                              [--rounds=20] [--processes=8] [--callers=1000]
 *
 * About 4 s a round of a system. Times are of CLOCK_MONOTONIC, which all processes of a machine share.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openFigure } from './figure.mjs';

/** A loader that takes so long: everybody is there before it answers. */
const LOADER = 300;
/** A moment that all processes wait for, from now. */
const AHEAD = 200;

const { systems, number, arenaOf, row, end } = await openFigure('stampede', {
  rounds: 20,
  processes: 8,
  callers: 1_000,
});
const processes = number('processes');
const callers = number('callers');

for (const system of systems) {
  const settings = { members: processes, isDirect: true };
  const loads = [];
  let slowest = 0;
  const arena = await arenaOf(system, settings);
  for (let round = 0; round < number('rounds'); round++) {
    const key = arena.key();
    await start(arena.members, key);
    const ends = await Promise.all(arena.members.map((member) => member.run((scope) => scope.stampede)));
    loads.push(ends.reduce((sum, each) => sum + each.loads, 0));
    slowest = Math.max(slowest, ...ends.map(({ elapsed }) => elapsed));
    if (ends.some(({ wrong }) => wrong > 0)) throw new Error(`${system.name}: a caller got something else`);
  }
  await arena.close();
  row(system, 'cold key', {
    'loads, most': Math.max(...loads),
    'loads, least': Math.min(...loads),
    'slowest caller ms': slowest,
  });

  const after = [];
  const takeovers = [];
  for (let round = 0; round < Math.ceil(number('rounds') / 4); round++) {
    const doomed = await arenaOf(system, settings);
    const { loads, takeover } = await killLeader(doomed);
    after.push(loads);
    takeovers.push(takeover);
    await doomed.close();
  }
  row(system, 'leader killed', {
    'loads, most': Math.max(...after),
    'loads, least': Math.min(...after),
    'takeover ms, longest': Math.max(...takeovers),
  });
}
end();

/** All processes begin at the same moment; each keeps its end in `scope.stampede`. */
async function start(members, key) {
  const at = process.hrtime.bigint() + BigInt(AHEAD) * 1_000_000n;
  await Promise.all(members.map((member) => member.run(call, { key, callers, at, loader: LOADER })));
}

/** Runs in a member. */
function call(scope, { key, callers, at, loader }) {
  const state = { loads: 0, began: 0n };
  scope.state = state;
  const load = async () => {
    state.loads++;
    if (state.began === 0n) state.began = process.hrtime.bigint();
    await new Promise((resolve) => setTimeout(resolve, loader));
    return { of: key };
  };
  const begin = async () => {
    const start = performance.now();
    const values = await Promise.all(Array.from({ length: callers }, () => scope.cache.getOrSet(key, load)));
    const wrong = values.filter((value) => value?.of !== key).length;
    return { ...state, wrong, elapsed: performance.now() - start };
  };
  const wait = Number(at - process.hrtime.bigint()) / 1e6;
  scope.stampede = new Promise((resolve) => setTimeout(() => resolve(begin()), wait));
}

/** Kills who loads first; loads of all, and the time until the next load begins. `0` if others were loading anyway. */
async function killLeader(arena) {
  const { members } = arena;
  const cold = arena.key();
  await start(members, cold);
  let leader;
  while (leader === undefined) {
    const states = await Promise.all(members.map((member) => member.run((scope) => scope.state.loads)));
    leader = members[states.findIndex((loads) => loads > 0)];
  }
  // The others are asking: what they do must not depend on the leader's being quick to die.
  await sleep(LOADER / 3);
  const killed = process.hrtime.bigint();
  leader.signal('SIGKILL');
  const others = members.filter((member) => member !== leader);
  const ends = await Promise.all(others.map((member) => member.run((scope) => scope.stampede)));
  const began = ends.filter(({ loads }) => loads > 0).map(({ began }) => Number(began - killed) / 1e6);
  return { loads: 1 + ends.reduce((sum, { loads }) => sum + loads, 0), takeover: Math.max(0, Math.min(...began)) };
}
