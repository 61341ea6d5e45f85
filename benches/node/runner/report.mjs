import { figureRefusals } from './refusal.mjs';
import { PEERS } from '../peers/packages.mjs';

/** Three digits that count, thousands apart. */
export function number(value) {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return Number(value.toPrecision(3)).toString();
}

export function printMachine(machine, versions) {
  const { at, cpu, cores, memory, system, load, node, v8, redis, turbocache, commit } = machine;
  console.log(`${at}  ${cpu}, ${cores} cores, ${memory}, ${system}, load ${load.join(' ')}`);
  console.log(`Node ${node} (V8 ${v8}), Redis ${redis}, turbocache ${turbocache} at ${commit}`);
  console.log(PEERS.map((name) => `${name} ${versions[name]}`).join(', '));
}

/** One line a contestant: the medians of its figures, their spread, and the ratio to the first, where that is allowed. */
export function printScenario({ title, columns, rounds, contestants }, { force, refusals }) {
  const [first] = Object.keys(columns);
  const ours = contestants[0];
  const rows = [['', ...Object.entries(columns).map(([figure, unit]) => `${figure} ${unit}`), 'spread', 'to ours']];
  const notes = [];
  for (const contestant of contestants) {
    const { name, figures, fault } = contestant;
    if (fault !== undefined) {
      notes.push(...figureRefusals(contestant, first));
      continue;
    }
    const own = [ours, contestant].flatMap((each) => figureRefusals(each, first));
    notes.push(...own);
    const reasons = [...refusals, ...own];
    const ratio = ours.fault === undefined ? `${number(figures[first].median / ours.figures[first].median)} ×` : '–';
    rows.push([
      name,
      ...Object.keys(columns).map((figure) => number(figures[figure]?.median)),
      `${Math.round(figures[first].spread * 100)} %`,
      reasons.length === 0 ? ratio : force ? `${ratio} (forced)` : 'refused',
    ]);
  }
  console.log(`\n${title}; medians of ${rounds} rounds`);
  printTable(rows);
  for (const note of new Set(notes)) console.log(`  ! ${note}`);
}

export function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    const cells = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])));
    console.log(`  ${cells.join('  ')}`.trimEnd());
  }
}
