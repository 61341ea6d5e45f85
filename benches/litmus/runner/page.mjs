/** The part of docs/benchmarks/litmus.md that a run writes. */
import { commandOf } from './stage.mjs';

/** The machine, a table of verdicts, and below it what was seen where something did not hold. */
export function tableOf(run) {
  return ['', head(run), verdicts(run), ...run.systems.map((system) => remarks(run, system)), ''].join('\n');
}

function head({ machine, versions, stage, results }) {
  const { at, cpu, cores, system, load, node, redis, turbocache, commit } = machine;
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const kind = stage.quick ? ' in a quick run: few repetitions and short faults' : '';
  return `Run ${at}${kind} on ${cpu}, ${cores} cores, ${system}, load average ${load[0]} at the start. Node ${node}, Redis ${redis},
turbocache ${turbocache} at commit ${commit}, ${peers.join(', ')}. ${results.length} cases; ${stage.repetitions.toLocaleString('en')} forced
repetitions for turbocache, up to ${stage.peerRepetitions.toLocaleString('en')} for the others:
\`${commandOf(stage)}\`.
`;
}

function verdicts({ systems, results }) {
  const rows = results.map(({ title, law, verdicts }) => [
    `${title}`,
    String(law),
    ...systems.map((system) => cell(verdicts[system])),
  ]);
  const totals = systems.map((system) => {
    const states = results.map(({ verdicts }) => verdicts[system].state).filter((state) => state !== 'not applicable');
    return `**${states.filter((state) => state === 'held').length} of ${states.length}**`;
  });
  return `${table(['case', 'law', ...systems], [...rows, ['**held**', '', ...totals]])}\n`;
}

function cell({ state, held, violated }) {
  if (state === 'held') return `✓ ${held.toLocaleString('en')}`;
  if (state === 'violated') return `**✗** ${violated} of ${(held + violated).toLocaleString('en')}`;
  return state === 'not forced' ? '**not forced**' : '–';
}

function remarks({ results }, system) {
  const seen = results.flatMap(({ title, verdicts }) => {
    const { state, examples, reason } = verdicts[system];
    if (state === 'violated') return [`- ${title}: ${plain(examples[0])}`];
    return state === 'not forced' ? [`- ${title}: not forced: ${plain(reason)}`] : [];
  });
  const reasons = new Set(
    results
      .map(({ verdicts }) => verdicts[system])
      .flatMap(({ state, reason }) => (state === 'not applicable' ? [reason] : [])),
  );
  const lacks = reasons.size === 0 ? [] : [`Not applicable (–): ${[...reasons].join('; ')}.`, ''];
  if (seen.length + lacks.length === 0) return '';
  return [`### ${system}`, '', ...lacks, ...seen, ''].join('\n');
}

const plain = (sentence) => sentence.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column < 1 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
