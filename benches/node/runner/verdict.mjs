import { contestantRefusals, figureRefusals, floorRefusals } from './refusal.mjs';
import { number, printTable } from './report.mjs';

/**
 * What became of a target: `pass`, `fail`, `refused` with the reasons, or `not run`. Rounds that spread too widely make no ratio;
 * `isOfEachRound` says that they make a verdict all the same, because it is the same whichever of them are compared.
 */
export function verdict(target, results) {
  const scenario = results.find(({ name }) => name === target.scenario);
  const find = (name) => scenario?.contestants.find((contestant) => contestant.name === name);
  const ours = find(target.ours);
  const peers = target.peers.map(find);
  if (ours === undefined || peers.includes(undefined)) return { ...target, state: 'not run' };

  const all = [ours, ...peers];
  const reasons = all.flatMap((contestant) => figureRefusals(contestant, target.figure));
  if (all.some(({ fault }) => fault !== undefined)) return { ...target, state: 'refused', reasons };
  const value = ours.figures[target.figure].median;
  const best = peers.toSorted((a, b) => a.figures[target.figure].median - b.figures[target.figure].median)[0];
  const theirs = best?.figures[target.figure].median;
  const ratio = theirs === undefined ? value : value / theirs;
  const passed = ratio <= target.atMost ? 'pass' : 'fail';
  const isOfEachRound = reasons.length > 0 && !all.some((contestant) => contestantRefusals(contestant).length > 0);
  const agreed = isOfEachRound ? verdictOfEachRound(ours, peers, target) : undefined;
  const unit = scenario.columns[target.figure];
  const found = reasons.length === 0 ? passed : (agreed ?? 'refused');
  // What is good in spite of the machine is good.
  const floored = found === 'fail' ? floorRefusals(find(target.floor), target) : [];
  return {
    ...target,
    value,
    peer: best?.name,
    theirs,
    ratio,
    unit,
    reasons: [...reasons, ...floored],
    passed,
    isOfEachRound: agreed !== undefined,
    state: floored.length > 0 ? 'refused' : found,
  };
}

function verdictOfEachRound(ours, peers, { figure, atMost }) {
  const { best, worst } = ours.figures[figure];
  const bounds = peers.length > 0 ? peers.map((peer) => peer.figures[figure]) : [{ best: 1, worst: 1 }];
  if (bounds.every((peer) => worst <= atMost * peer.best)) return 'pass';
  if (bounds.some((peer) => best > atMost * peer.worst)) return 'fail';
  return undefined;
}

/** `pass`, `fail`, `refused` or `not run`, and how it was found. */
export const wordOf = ({ state, isOfEachRound }) => (isOfEachRound ? `${state}, each round` : state);

export function printVerdicts(verdicts, { force, refusals }) {
  const rows = [['scenario', 'figure', 'ours', 'peer', 'its', 'ours/its', 'at most', '']];
  for (const each of verdicts) {
    const { scenario, figure, unit = '', value, peer = '', theirs, ratio, atMost, state, passed } = each;
    const isRefused = state === 'refused' || (refusals.length > 0 && state !== 'not run');
    const word = isRefused ? (force && passed ? `${passed} (forced)` : 'refused') : wordOf(each);
    const shown = (isRefused || each.isOfEachRound) && !force ? '–' : number(ratio);
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
