/**
 * The litmus suite: every case for every system, each repetition forced.
 *
 *     node benches/litmus/run.mjs [names…] [--quick] [--systems=turbocache,bentocache] [--system=./mine.mjs]
 *                                 [--repetitions=1000] [--peer-repetitions=100] [--jobs=1]
 *
 * A name is that of a case, or the beginning of several. `--system` adds an adapter of your own, see README.md; without
 * `--systems` it is then compared with turbocache alone. Exit code 1: a row of turbocache, or of yours, does not hold.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from '../node/runner/machine.mjs';
import { installedVersions } from '../node/runner/versions.mjs';
import { cases } from './cases/all.mjs';
import { startProxy } from './dist/proxy.js';
import { startRedis } from './dist/redis.js';
import { printCase, printHead, printTotals } from './runner/report.mjs';
import { writeResults } from './runner/results.mjs';
import { runCase } from './runner/run-case.mjs';
import { defaultsOf } from './runner/stage.mjs';
import { loadSystem, OWN, SYSTEMS } from './runner/systems.mjs';

// So that what ends with this process does when it is interrupted.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** Seconds for a case of a peer: one that violates a rule may take its time for it. */
const PEER_BUDGET = 60;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    systems: { type: 'string' },
    system: { type: 'string', multiple: true, default: [] },
    repetitions: { type: 'string' },
    'peer-repetitions': { type: 'string' },
    jobs: { type: 'string' },
  },
});
const defaults = defaultsOf(flags);
const repetitions = count('repetitions', defaults.repetitions);
const peerRepetitions = count('peer-repetitions', defaults.peerRepetitions);
const jobs = count('jobs', defaults.jobs);
const own = flags.system.map((file) => pathToFileURL(path.resolve(file)).href);
const built = flags.systems?.split(',') ?? (own.length > 0 ? [OWN] : SYSTEMS);
const systems = await Promise.all([...built, ...own].map(loadSystem));
const judged = new Set([OWN, ...systems.slice(built.length).map(({ name }) => name)]);

const chosen = cases.filter(
  ({ name }) => positionals.length === 0 || positionals.some((start) => name.startsWith(start)),
);
if (chosen.length === 0) {
  console.error(`no case begins with ${positionals}; there are:\n${cases.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}

const run = {
  machine: machine(),
  versions: installedVersions([...new Set(systems.flatMap(({ packages }) => packages))]),
  stage: { quick: flags.quick, repetitions, peerRepetitions, jobs },
  systems: systems.map(({ name }) => name),
  results: [],
};
printHead(run);
// Cases mostly wait: several at a time, each in an arena of its own, change nothing but how long all of them take.
const waiting = chosen.values();
await Promise.all(
  Array.from({ length: jobs }, async () => {
    for (const litmus of waiting) {
      const result = await play(litmus);
      run.results.push(result);
      printCase(result, run);
    }
  }),
);
run.results.sort((one, other) => placeOf(one) - placeOf(other));
printTotals(run);
console.log(`\nEverything: ${writeResults(run)}`);
const broken = run.results.some(({ verdicts }) =>
  Object.entries(verdicts).some(([name, { state }]) => judged.has(name) && !['held', 'not applicable'].includes(state)),
);
process.exit(broken ? 1 : 0);

async function play(litmus) {
  const { name, title, law, batch = 1 } = litmus;
  const verdicts = {};
  for (const system of systems) {
    const isJudged = judged.has(system.name);
    const budget = isJudged ? Infinity : PEER_BUDGET;
    const rig = { startProxy, startRedis };
    verdicts[system.name] = await runCase({
      litmus,
      system,
      rig,
      repetitions: isJudged ? repetitions : peerRepetitions,
      budget,
      quick: flags.quick,
    });
  }
  return { name, title, law, batch, verdicts };
}

function count(flag, otherwise) {
  const value = Number(flags[flag] ?? otherwise);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${flag} is ${flags[flag]}: expected a whole number above 0`);
  process.exit(2);
}

function placeOf({ name }) {
  return chosen.findIndex((litmus) => litmus.name === name);
}
