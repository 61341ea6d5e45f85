import { figureRefusals } from '../runner/refusal.mjs';
import { number } from '../runner/report.mjs';
import { wordOf } from '../runner/verdict.mjs';

/** The part of the page that a run writes: machine, targets, losses, and every scenario. */
export function figuresOf(run) {
  const image = '![Bars of the medians, shorter is better](benchmarks.svg)\n';
  return ['', image, head(run), targets(run), losses(run), ...run.results.map(scenario), ''].join('\n');
}

function head({ machine, versions, results, stage }) {
  const { at, cpu, cores, memory, system, load, node, redis, turbocache, commit } = machine;
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const rounds = Math.max(...results.map((result) => result.rounds));
  const kind = stage.quick ? ' in a quick run: few and short rounds, small numbers of entries' : '';
  return `Measured ${at}${kind} on ${cpu}, ${cores} cores, ${memory}, ${system}, load average ${load[0]} at the start, in up to ${rounds}
rounds. Node ${node}, Redis ${redis} on the same machine, turbocache ${turbocache} at commit ${commit}. Peers: ${peers.join(', ')}.
`;
}

function targets({ verdicts }) {
  const rows = verdicts.map((verdict) => [
    `${verdict.scenario}: ${verdict.ours}`,
    verdict.figure,
    `${number(verdict.value)} ${verdict.unit ?? ''}`,
    verdict.peer ?? '',
    number(verdict.theirs),
    verdict.state === 'refused' || verdict.isOfEachRound ? '–' : number(verdict.ratio),
    number(verdict.atMost),
    verdict.state === 'pass' ? wordOf(verdict) : `**${wordOf(verdict)}**`,
  ]);
  const reasons = new Set(verdicts.flatMap(({ state, reasons }) => (state === 'refused' ? reasons : [])));
  return `## Targets

Ours over the best of the peers that are named; smaller is better. Without a peer the figure itself is bounded. Where rounds spread by more
than 25 % there is no ratio, and no verdict either unless it is the same for each round (of ours beside each of the peers').

${table(['scenario', 'figure', 'ours', 'peer', 'its', 'ours/its', 'at most', ''], rows)}
${[...reasons].map((reason) => `\n- Refused: ${reason}.`).join('')}
`;
}

/** Every scenario in which a peer was faster or smaller in the first figure, whatever it does or does not do for that. */
function losses({ results }) {
  const rows = results.flatMap(({ title, columns, contestants }) => {
    const [[figure, unit]] = Object.entries(columns);
    const value = ({ figures }) => figures[figure].median;
    const counting = contestants
      .filter((contestant) => figureRefusals(contestant, figure).length === 0)
      .toSorted((a, b) => value(a) - value(b));
    const ours = counting.find(isOurs);
    if (ours === undefined) return [];
    const better = counting.slice(0, counting.indexOf(ours)).filter(isCache);
    if (better.length === 0) return [];
    const shown = better.map(
      (each) => `${each.name} ${number(value(each))} (ours ${number(value(ours) / value(each))} ×)`,
    );
    return [[title, `${ours.name} ${number(value(ours))} ${unit}`, shown.join('<br>')]];
  });
  return `## Where we lose

Our best contestant of a scenario, and every peer that was better.

${table(['scenario', 'our best', 'better'], rows)}
`;
}

function scenario({ title, name, columns, rounds, contestants }) {
  const figures = Object.keys(columns);
  const rows = contestants.map((contestant) => {
    const [reason] = figureRefusals(contestant, figures[0]);
    if (contestant.fault !== undefined) return [contestant.name, ...figures.map(() => '–'), reason];
    const spread = `${Math.round(contestant.figures[figures[0]].spread * 100)} %`;
    const medians = figures.map((figure) => number(contestant.figures[figure].median));
    return [contestant.name, ...medians, reason === undefined ? spread : `${spread}, refused`];
  });
  return `### ${title}

\`${name}\`, medians of ${rounds} rounds.

${table(['', ...Object.entries(columns).map(([figure, unit]) => `${figure}, ${unit}`), 'spread'], rows)}
`;
}

const isOurs = ({ name }) => name.startsWith('turbocache');
const isCache = ({ name }) => !name.startsWith('no cache');

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
