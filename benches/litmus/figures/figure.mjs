/** What the figures have in common: systems and numbers from the command line, arenas, a table, and a file of results. */
import { parseArgs } from 'node:util';
import { machine } from '../../node/runner/machine.mjs';
import { number as digits } from '../../node/runner/report.mjs';
import { installedVersions } from '../../node/runner/versions.mjs';
import { startProxy } from '../dist/proxy.js';
import { startRedis } from '../dist/redis.js';
import { openArena } from '../runner/arena.mjs';
import { writeResults } from '../runner/results.mjs';
import { loadSystem, SYSTEMS } from '../runner/systems.mjs';

export const rig = { startProxy, startRedis };

/** `numbers`: names and defaults of options that are numbers. */
export async function openFigure(name, numbers) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  const texts = Object.fromEntries(Object.keys(numbers).map((option) => [option, { type: 'string' }]));
  const { values } = parseArgs({
    options: {
      ...texts,
      systems: { type: 'string', default: SYSTEMS.join() },
      quick: { type: 'boolean', default: false },
    },
  });
  const systems = await Promise.all(values.systems.split(',').map(loadSystem));
  const versions = installedVersions([...new Set(systems.flatMap(({ packages }) => packages))]);
  const run = { figure: name, machine: machine(), versions, options: values, rows: [] };
  const { at, cpu, cores, node, redis, turbocache, commit, load } = run.machine;
  console.log(
    `${at}  ${cpu}, ${cores} cores, load ${load[0]}, Node ${node}, Redis ${redis}, turbocache ${turbocache} at ${commit}`,
  );

  return {
    systems,
    quick: values.quick,
    number: (option) => Number(values[option] ?? numbers[option]),
    arenaOf: (system, settings) => openArena({ system, rig, settings }),
    row(system, what, figures) {
      run.rows.push({ system: system.name, what, figures });
      const cells = Object.entries(figures).map(
        ([title, value]) => `${title} ${typeof value === 'number' ? digits(value) : value}`,
      );
      console.log(`${system.name.padEnd(16)}${what.padEnd(28)}${cells.join('   ')}`);
    },
    end(more = {}) {
      console.log(`\nEverything: ${writeResults({ ...run, ...more }, name)}`);
      process.exit(0);
    },
  };
}
