/**
 * Three processes under load through five minutes of faults: killed and frozen Redis, cuts, silence, slowness, a failover. How many calls
 * are answered in time, whether any answer was wrong, and how soon all is as before.
 *
 *     node benches/litmus/figures/availability.mjs [--systems=turbocache,bentocache,cacheable,cache-manager] [--quick]
 *                                                  [--rate=300] [--deadline=2000]
 *
 * Five minutes and a few seconds a system; `--quick` 40 seconds. Calls are due at a fixed rate: one that is never answered counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkVersions } from './check-versions.mjs';
import { openFigure } from './figure.mjs';
import { beginLoad } from './load.mjs';
import { FAULTS, LONG, SHORT } from './schedule.mjs';

const MEMBERS = 3;
const KEYS = 90;
const WRITES = 0.05;
const BIN = 100;
/** Lines must have been whole for so long before every process must know of a change: the bound on staleness, and time to reconnect. */
const BOUND = 2_000;
const RECOVERED = 0.95;

const { systems, quick, number, arenaOf, row, end } = await openFigure('availability', { rate: 300, deadline: 2_000 });
const { seconds, faults } = quick ? SHORT : LONG;
const rate = number('rate');
const deadline = number('deadline');

const everything = [];
for (const system of systems) {
  const arena = await arenaOf(system, { members: MEMBERS });
  const line = await arena.startProxy(arena.redis.port, { messages: false });
  const replica = await arena.startRedis({ args: ['--replicaof', '127.0.0.1', String(line.port)] });
  const stage = { members: arena.members, primary: arena.redis, replica, line };
  const { logs, happened, requests, gone } = await play(stage);
  await arena.close();
  everything.push({ system: system.name, ...report(system, { logs, happened, requests, gone }) });
}
end({ everything });

async function play(stage) {
  const { members } = stage;
  const keys = Array.from({ length: KEYS }, (_, index) => `key${index}`);
  const origin = new Map(keys.map((key) => [key, 0]));
  const zero = process.hrtime.bigint();
  const now = () => Number(process.hrtime.bigint() - zero) / 1e6;
  for (const [index, member] of members.entries()) {
    member.onAsk = ({ get, set, version }) => (set === undefined ? origin.get(get) : void origin.set(set, version));
    const own = keys.filter((_, at) => at % MEMBERS === index);
    const milliseconds = seconds * 1_000;
    await member.run(beginLoad, { zero, keys, own, rate, writes: WRITES, milliseconds, deadline });
  }
  const happened = [];
  const requests = [];
  const count = () => requests.push({ at: now(), sent: members.reduce((sum, { proxy }) => sum + proxy.requests, 0) });
  for (const { name, start, end: stop } of faults) {
    await sleep(Math.max(0, start * 1_000 - now()));
    count();
    const began = now();
    await FAULTS[name].begin(stage);
    await sleep(Math.max(0, stop * 1_000 - now()));
    await FAULTS[name].end(stage);
    happened.push({ name, start: began, end: now() });
    count();
  }
  const logs = await Promise.all(
    members.map((member) => member.runFor((seconds + 60) * 1_000, (scope) => scope.load).catch(() => undefined)),
  );
  count();
  return {
    logs,
    happened,
    requests,
    gone: members.flatMap((member) => (member.gone ? [`${member.name}: ${member.gone}`] : [])),
    keys,
  };
}

function report(system, { logs, happened, requests, gone }) {
  const keys = Array.from({ length: KEYS }, (_, index) => `key${index}`);
  const there = logs.filter((log) => log !== undefined);
  // A process that has ended answers nothing: all its calls are missed.
  const offered = there.reduce((sum, log) => sum + log.offered, 0) + (logs.length - there.length) * rate * seconds;
  const answered = there.reduce((sum, log) => sum + log.offered - log.late.length - log.failed.length, 0);
  const logsOrNone = logs.map((log) => log ?? { reads: new Float64Array(), changes: new Float64Array() });
  const checked = checkVersions({ logs: logsOrNone, keys, faults: happened, bound: BOUND });
  row(system, 'calls', {
    offered,
    'in time': `${((answered / offered) * 100).toFixed(4)} %`,
    late: there.reduce((sum, log) => sum + log.late.length, 0),
    failed: there.reduce((sum, log) => sum + log.failed.length, 0),
    'processes that ended': gone.length,
  });
  const { reads, ownStale, stale, foreign, nothing } = checked;
  row(system, 'wrong answers', {
    reads,
    'own writes unseen': ownStale,
    'others’ writes unseen': stale,
    foreign,
    nothing,
  });
  const recoveries = happened.map(({ name, end: healed }) => ({ name, ms: recovery(there, healed) }));
  row(
    system,
    'ms to 95 %',
    Object.fromEntries(recoveries.map(({ name, ms }, index) => [`${index + 1} ${name}`, ms ?? 'not'])),
  );
  const perCall = requestsPerCall(requests, happened);
  row(system, 'requests a call', perCall);
  for (const sentence of [...checked.examples, ...gone]) console.log(`    ${sentence}`);
  return { checked, recoveries, perCall, happened, requests, gone };
}

/** Milliseconds from the heal to the first of three bins in a row with 95 % of the calls that are due. */
function recovery(logs, healed) {
  const due = (rate * MEMBERS * BIN) / 1_000;
  const first = Math.ceil(healed / BIN);
  const full = (bin) => logs.reduce((sum, { bins }) => sum + (bins[bin] ?? 0), 0) >= due * RECOVERED;
  for (let bin = first; bin < (seconds * 1_000) / BIN - 3; bin++) {
    if ([0, 1, 2].every((more) => full(bin + more))) return Math.max(0, bin * BIN - healed);
  }
  return undefined;
}

/** Requests that reach the proxies for each call, in healthy times and over everything: what retries add. */
function requestsPerCall(requests, happened) {
  const due = (rate * MEMBERS) / 1_000;
  const over = (from, to) => (to.sent - from.sent) / ((to.at - from.at) * due);
  const all = over(requests[0], requests.at(-1));
  const healthy = requests.flatMap((from, index) => {
    const to = requests[index + 1];
    const isHealthy =
      to !== undefined && !happened.some(({ start, end: stop }) => start < to.at - 1 && stop > from.at + 1);
    return isHealthy ? [over(from, to)] : [];
  });
  const usual = healthy.reduce((sum, each) => sum + each, 0) / healthy.length;
  return { healthy: usual, 'over all': all, ratio: all / usual };
}
