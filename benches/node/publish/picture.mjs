import { figureRefusals } from '../runner/refusal.mjs';
import { number } from '../runner/report.mjs';

/** The scenarios that are drawn, with a heading that fits. */
const PANELS = {
  'hit-sync': 'Synchronous hit',
  'hit-get-or-set': 'Hit of getOrSet',
  decorated: 'Hit of a decorated method',
  'hit-memory': 'Hit of the encoded tier, decoded',
  'redis-get-1': 'Redis get, 1 in flight',
  'redis-get-64': 'Redis get, 64 in flight',
  'redis-get-512': 'Redis get, 512 in flight',
  'redis-set-64': 'Redis set, 64 in flight',
  'redis-many-100': 'Redis getMany of 100 keys',
  'redis-1mb': 'Redis get of 1 MB, 8 in flight',
  'zipf-95-5': 'Memory over Redis, 95/5 Zipf',
  'memory-strings': 'Process with 1 M strings of 100 bytes',
};
const COLUMNS = 2;
const WIDTH = 560;
const BAR = 22;
const NAMES = 210;
const LONGEST = 250;

/** Bars of the medians, one panel a scenario, each with a scale of its own that starts at zero. Shorter is better. */
export function picture({ results, machine }) {
  const panels = Object.keys(PANELS).flatMap((name) => results.filter((result) => result.name === name));
  const heights = panels.map(({ contestants }) => 44 + contestants.length * BAR);
  const rows = [];
  for (let first = 0; first < panels.length; first += COLUMNS)
    rows.push(Math.max(...heights.slice(first, first + COLUMNS)));
  const top = (row) => 64 + rows.slice(0, row).reduce((sum, height) => sum + height, 0);
  const drawn = panels.map((panel, index) => {
    const row = Math.floor(index / COLUMNS);
    return `<g transform="translate(${(index % COLUMNS) * WIDTH + 16} ${top(row)})">${draw(panel)}</g>`;
  });
  const [width, height] = [WIDTH * COLUMNS, top(rows.length) + 8];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">
<style>text{fill:#24292f}.quiet{fill:#6e7781}.bar{fill:#afb8c1}.ours{fill:#d9480f}</style>
<rect width="100%" height="100%" fill="#fff"/>
${text(16, 26, 'turbocache beside its peers: shorter is better', 'font-size="17" font-weight="600"')}
${text(16, 46, `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, Redis ${machine.redis}, ${machine.at.slice(0, 10)}, commit ${machine.commit}; medians`, 'class="quiet"')}
${drawn.join('\n')}
</svg>
`;
}

function draw({ name, columns, contestants }) {
  const [[figure, measured]] = Object.entries(columns);
  const longest = Math.max(...contestants.map(({ figures }) => figures[figure]?.median ?? 0));
  const [unit, divisor] = scaleOf(measured, longest);
  const what = figure === 'wall' ? 'an operation' : figure;
  const bars = contestants.map((contestant, index) => {
    const y = 14 + index * BAR;
    const label = text(NAMES - 8, y + 14, contestant.name, 'text-anchor="end"');
    const value = contestant.figures[figure]?.median;
    const isRefused = figureRefusals(contestant, figure).length > 0;
    if (value === undefined || isRefused) return label + text(NAMES, y + 14, 'refused, see the page', 'class="quiet"');
    const length = Math.max(1, (value / longest) * LONGEST);
    const look = contestant.name.startsWith('turbocache') ? 'ours' : 'bar';
    const bar = `<rect class="${look}" x="${NAMES}" y="${y + 3}" width="${length.toFixed(1)}" height="${BAR - 7}" rx="2"/>`;
    return label + bar + text(NAMES + length + 6, y + 14, `${number(value / divisor)} ${unit}`, 'class="quiet"');
  });
  return `${text(0, 4, `${PANELS[name]}: ${unit} ${what}`, 'font-weight="600"')}\n${bars.join('\n')}`;
}

/** The unit in which the longest bar of a panel has few digits. */
function scaleOf(unit, longest) {
  if (unit !== 'ns' || longest < 50_000) return [unit, 1];
  return longest < 5e6 ? ['µs', 1e3] : ['ms', 1e6];
}

const text = (x, y, words, look) => `<text x="${x.toFixed(1)}" y="${y}" ${look}>${escaped(words)}</text>`;
const escaped = (words) => words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
