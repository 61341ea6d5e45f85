/**
 * The cities service over HTTP: without a cache, with this package, with @nestjs/cache-manager.
 *
 *     node benches/nest/run.mjs [--requests 10000] [--in-flight 100] [--rounds 5] [--places 20000] [--force]
 *
 * Each kind has a process of its own; all share one database. A round asks each kind the same requests, twice: from an empty cache
 * on, and then with all answers in it. It begins with another kind each time. Every answer is compared with the one that came without
 * a cache. Exit code 2: the machine is too loaded to compare (`--force` compares, and says so).
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { calm, machine } from '../node/runner/machine.mjs';
import { runRefusals } from '../node/runner/refusal.mjs';
import { number, printTable } from '../node/runner/report.mjs';
import { load } from './load.mjs';
import { mixOf } from './mix.mjs';

const [BARE, ...CACHED] = ['no cache', 'turbocache-js', '@nestjs/cache-manager'];
const KINDS = [BARE, ...CACHED];
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    'in-flight': { type: 'string', default: '100' },
    rounds: { type: 'string', default: '5' },
    places: { type: 'string', default: '20000' },
    force: { type: 'boolean', default: false },
  },
});
const [requests, inFlight, rounds, places] = ['requests', 'in-flight', 'rounds', 'places'].map((name) =>
  Number(values[name]),
);
const file = (name) => fileURLToPath(new URL(name, import.meta.url));

if (!values.force) await calm({ atMost: 60_000, alsoLoad: true });
const start = machine();
const refusals = runRefusals({ machine: start, versionFaults: [] });
console.log(
  `${start.at}  ${start.cpu}, ${start.cores} cores, load ${start.load.join(' ')}, Node ${start.node}, ${start.commit}`,
);
if (refusals.length > 0) {
  console.log(`Refused: ${refusals.join('; ')}.`);
  if (!values.force) process.exit(2);
  console.log('--force: what follows is no evidence.');
}

const children = [];
process.once('exit', () => children.forEach((child) => child.kill()));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const database = child(file('../../examples/cities/dist/database/main.js'), [], { CITIES_LIMIT: `${places}` });
const databasePort = await portOf(database);
const services = new Map();
for (const kind of KINDS) {
  const service = child(file('service.mjs'), [kind], { DATABASE_PORT: `${databasePort}` });
  services.set(kind, { service, port: await portOf(service), cold: [], warm: [] });
}

const answers = new Map();
const paths = mixOf(places, requests);
console.log(
  `${requests.toLocaleString('en')} requests, ${new Set(paths).size.toLocaleString('en')} of them different, ${inFlight} in flight, ${places.toLocaleString('en')} places; medians of ${rounds} rounds`,
);
for (let round = 0; round <= rounds; round++) {
  for (let turn = 0; turn < KINDS.length; turn++) {
    // The round before the first is not counted: code that runs for the first time, and the answers to compare with.
    const kind = KINDS[round === 0 ? turn : (turn + round) % KINDS.length];
    const { service, port, ...samples } = services.get(kind);
    let before = { statements: 0, ...(await ask(service, 'begin')) };
    for (const phase of kind === BARE ? ['cold'] : ['cold', 'warm']) {
      const sample = await load(port, paths, inFlight, compare(kind));
      const after = await ask(service, 'counts');
      const cpu = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
      if (round > 0) samples[phase].push({ ...sample, statements: after.statements - before.statements, cpu });
      before = after;
    }
  }
}
for (const one of children.splice(0).toReversed()) {
  one.disconnect();
  await once(one, 'exit');
}

const bare = figuresOf(services.get(BARE).cold);
const rows = [
  [BARE, bare],
  ...CACHED.map((kind) => [`${kind}, empty at first`, figuresOf(services.get(kind).cold)]),
  ...CACHED.map((kind) => [`${kind}, all answers cached`, figuresOf(services.get(kind).warm)]),
];
printTable([
  ['', 'requests/s', 'spread', 'p50 ms', 'p99 ms', 'cpu µs/request', 'statements', 'requests/s to no cache'],
  ...rows.map(([title, { rate, spread, p50, p99, cpu, statements }]) => [
    title,
    number(Math.round(rate)),
    `${Math.round(spread * 100)} %`,
    number(p50),
    number(p99),
    number(cpu),
    number(statements),
    `${(rate / bare.rate).toFixed(2)} ×${refusals.length > 0 ? ' (forced)' : ''}`,
  ]),
]);

function child(module, args, environment) {
  const made = fork(module, args, { env: { ...process.env, ...environment } });
  made.once('exit', (code, signal) => {
    if (!children.includes(made)) return;
    console.error(`${module} ended: ${signal ?? code}`);
    process.exit(1);
  });
  children.push(made);
  return made;
}

async function portOf(process) {
  for (;;) {
    const [{ port }] = await once(process, 'message');
    if (port !== undefined) return port;
  }
}

async function ask(service, what) {
  const answered = once(service, 'message');
  service.send(what);
  return (await answered)[0];
}

function compare(kind) {
  return (path, body) => {
    const known = answers.get(path);
    if (known === undefined) answers.set(path, body);
    else if (known !== body) throw new Error(`${kind}: GET ${path} answered ${body}, without a cache ${known}`);
  };
}

/** Medians of the rounds, and how far the rounds lie apart: median absolute deviation over median. */
function figuresOf(samples) {
  const rates = samples.map(({ elapsed }) => (requests / elapsed) * 1_000);
  const rate = median(rates);
  return {
    rate,
    spread: median(rates.map((each) => Math.abs(each - rate))) / rate,
    p50: median(samples.map(({ times }) => times[Math.floor(times.length * 0.5)])),
    p99: median(samples.map(({ times }) => times[Math.floor(times.length * 0.99)])),
    cpu: median(samples.map(({ cpu }) => cpu)) / requests,
    statements: median(samples.map(({ statements }) => statements)),
  };
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
