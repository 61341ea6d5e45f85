/** What a run prints: a line a case as it ends, and below it why something did not hold. */

const NAME = 46;
const CELL = 22;

export function printHead({ machine, versions, stage, systems }) {
  const { at, cpu, cores, node, redis, turbocache, commit, load } = machine;
  console.log(`${at}  ${cpu}, ${cores} cores, load ${load[0]}, Node ${node}, Redis ${redis}`);
  console.log(`turbocache ${turbocache} at ${commit}, ${pairs(versions)}`);
  console.log(`${stage.repetitions} repetitions for turbocache, ${stage.peerRepetitions} for the others\n`);
  console.log(`${''.padEnd(NAME)}${systems.map((name) => name.padEnd(CELL)).join('')}`);
}

export function printCase({ name, verdicts }, { systems }) {
  const cells = systems.map((system) => cellOf(verdicts[system]).padEnd(CELL));
  console.log(`${name.padEnd(NAME)}${cells.join('')}`.trimEnd());
  for (const system of systems) {
    const { state, examples, reason } = verdicts[system];
    if (state === 'violated') console.log(`    ${system}: ${examples[0]}`);
    if (state === 'not forced') console.log(`    ${system}: not forced: ${reason}`);
  }
}

export function printTotals({ systems, results }) {
  console.log();
  for (const system of systems) {
    const states = results.map(({ verdicts }) => verdicts[system].state);
    const counts = ['held', 'violated', 'not forced', 'not applicable'].flatMap((state) => {
      const count = states.filter((each) => each === state).length;
      return count === 0 ? [] : [`${count} ${state}`];
    });
    console.log(`${system.padEnd(16)}${counts.join(', ')}`);
  }
}

/** A verdict in few words. */
export function cellOf({ state, held, violated }) {
  if (state === 'held') return `held ${held.toLocaleString('en')}`;
  if (state === 'violated') return `VIOLATED ${violated} of ${(held + violated).toLocaleString('en')}`;
  return state;
}

const pairs = (versions) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
