/**
 * The package against its peers.
 *
 *     node benches/node/run.mjs [names…] [--quick] [--force]
 *
 * A name is that of a scenario, or the beginning of several. `--quick` measures shorter and less. `--force` compares also
 * where the run or the rounds do not allow it, and marks what it prints. Exit code 2: refused.
 */
import { parseArgs } from 'node:util';
import { PEERS } from './peers/packages.mjs';
import { calm, machine } from './runner/machine.mjs';
import { runRefusals } from './runner/refusal.mjs';
import { printMachine, printScenario } from './runner/report.mjs';
import { writeResults } from './runner/results.mjs';
import { measureCalmly } from './runner/rounds.mjs';
import { printVerdicts, verdict } from './runner/verdict.mjs';
import { installedVersions, versionFaults } from './runner/versions.mjs';
import { scenarios } from './scenarios/all.mjs';
import { TARGETS } from './targets.mjs';

// So that what ends with this process does when it is interrupted.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, force: { type: 'boolean' } },
});
const { quick = false, force = false } = flags;
const stage = quick
  ? { quick, rounds: 5, milliseconds: 40, warmUp: 150 }
  : { quick, rounds: 7, milliseconds: 200, warmUp: 600 };

const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name.startsWith(name)));
if (unknown.length > 0) {
  console.error(`no scenario begins with ${unknown}; there are: ${scenarios.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
const chosen = scenarios.filter(
  ({ name, isOptional }) =>
    positionals.some((wanted) => name.startsWith(wanted)) || (positionals.length === 0 && !(quick && isOptional)),
);

if (!force) await calm({ atMost: 60_000, alsoLoad: true });
const start = machine();
const versions = installedVersions(PEERS);
const refusals = runRefusals({ machine: start, versionFaults: versionFaults(PEERS) });
printMachine(start, versions);
if (refusals.length > 0) {
  console.log(`Refused: ${refusals.join('; ')}.`);
  if (!force) process.exit(2);
  console.log('--force: what follows is no evidence.');
}

const results = [];
for (const scenario of chosen) {
  const result = await measureCalmly(scenario, stage, { force });
  printScenario(result, { force, refusals });
  results.push(result);
}
const verdicts = TARGETS.map((target) => verdict(target, results)).filter(
  ({ state }) => positionals.length === 0 || state !== 'not run',
);
printVerdicts(verdicts, { force, refusals });
const file = writeResults({ machine: start, versions, stage, refusals, results, verdicts });
console.log(`\nEvery sample: ${file}`);
