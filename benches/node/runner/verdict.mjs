import { figureRefusals } from './refusal.mjs';
import { number, printTable } from './report.mjs';

/** What became of a target: `pass`, `fail`, `refused` with the reasons, or `not run`. */
export function verdict(target, results) {
  const scenario = results.find(({ name }) => name === target.scenario);
  const find = (name) => scenario?.contestants.find((contestant) => contestant.name === name);
  const ours = find(target.ours);
  const peers = target.peers.map(find);
  if (ours === undefined || peers.includes(undefined)) return { ...target, state: 'not run' };

  const reasons = [ours, ...peers].flatMap((contestant) => figureRefusals(contestant, target.figure));
  const right = peers.filter(({ fault }) => fault === undefined);
  if (ours.fault !== undefined || right.length < peers.length) return { ...target, state: 'refused', reasons };
  const value = ours.figures[target.figure].median;
  const best = right.toSorted((a, b) => a.figures[target.figure].median - b.figures[target.figure].median)[0];
  const theirs = best?.figures[target.figure].median;
  const ratio = theirs === undefined ? value : value / theirs;
  const passed = ratio <= target.atMost ? 'pass' : 'fail';
  const unit = scenario.columns[target.figure];
  return {
    ...target,
    value,
    peer: best?.name,
    theirs,
    ratio,
    unit,
    reasons,
    passed,
    state: reasons.length ? 'refused' : passed,
  };
}

export function printVerdicts(verdicts, { force, refusals }) {
  const rows = [['scenario', 'figure', 'ours', 'peer', 'its', 'ours/its', 'at most', '']];
  for (const each of verdicts) {
    const { scenario, figure, unit = '', value, peer = '', theirs, ratio, atMost, state, passed } = each;
    const isRefused = state === 'refused' || (refusals.length > 0 && state !== 'not run');
    const word = isRefused ? (force && passed ? `${passed} (forced)` : 'refused') : state;
    const shown = isRefused && !force ? '–' : number(ratio);
    rows.push([
      `${scenario}: ${each.ours}`,
      figure,
      `${number(value)} ${unit}`,
      peer,
      number(theirs),
      shown,
      number(atMost),
      word,
    ]);
  }
  console.log('\nTargets: ours over the best of the peers, smaller is better');
  printTable(rows);
  for (const reason of new Set(verdicts.flatMap(({ reasons = [] }) => reasons))) console.log(`  ! ${reason}`);
}
