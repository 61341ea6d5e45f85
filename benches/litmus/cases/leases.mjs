/** Law 6: one load for all, whatever becomes of who loads. Law 2: who has lost his lease stores nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEADLINE } from '../runner/arena.mjs';
import { Unforced } from '../runner/member.mjs';
import { mentions } from '../runner/matches.mjs';

/** A leader whose heartbeat has ended frees the others within this time: by default a renewal and what polling adds. */
const TAKEOVER = 2_000;
/** A lease that nobody renews has ended by then. */
const LEASE_ENDS = 45_000;

/** B loads newer than A, while A, who has lost its lease, still loads; `then` is done between the two. */
async function overtake(
  arena,
  keys,
  loads,
  { newer = keys.map((key) => arena.members[1].load(key)), then = () => {} } = {},
) {
  for (const load of newer) {
    if (!(await load.called)) throw new Unforced('the second process got a value without a load');
    load.finish('new');
    await load.result;
  }
  then();
  for (const load of loads) load.finish('old');
  await Promise.all(loads.map((load) => load.result.catch(() => {})));
  return Promise.all(keys.map((key) => arena.agree(key, (value) => value === 'new')));
}

const lostInMidLoad = {
  name: 'lease/evicted-in-mid-load',
  title: 'A lease is evicted while its holder loads; another process loads and stores; the first loader answers last',
  law: 2,
  needs: ['lease'],
  async repeat(arena, key) {
    const load = await arena.members[0].loading(key);
    const names = await arena.names(key);
    if (names.length === 0) throw new Unforced('there is no lease in Redis');
    await arena.redis.cli('DEL', ...names);
    const [wrong] = await overtake(arena, [key], [load]);
    return wrong;
  },
};

const frozenInMidLoad = {
  name: 'lease/frozen-in-mid-load',
  title:
    'The holder of a lease is frozen; another process takes it over, long before it ends, loads and stores; then it goes on',
  law: 2,
  needs: ['lease'],
  batch: 100,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    const loads = await Promise.all(keys.map((key) => a.loading(key)));
    a.signal('SIGSTOP');
    const asked = performance.now();
    const newer = keys.map((key) => b.load(key));
    const waited = await Promise.all(newer.map(async ({ called }) => ((await called) ? performance.now() - asked : 0)));
    const wrong = await overtake(arena, keys, loads, { newer, then: () => a.signal('SIGCONT') });
    return keys.map((_, index) => late(waited[index]) ?? wrong[index]);
  },
};

const expiredInMidLoad = {
  name: 'lease/expired-in-mid-load',
  title:
    'The renewals of a lease are lost until it has ended; another process loads and stores; the first loader answers last',
  law: 2,
  needs: ['lease'],
  batch: 250,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    const loads = await Promise.all(keys.map((key) => a.loading(key)));
    for (const key of keys) {
      if ((await arena.names(key)).length === 0) throw new Unforced('there is no lease in Redis');
    }
    const renewals = keys.map((key) => a.proxy.drop('request', mentions(key), { every: true }));
    const haveEnded = async () => (await Promise.all(keys.map((key) => arena.names(key)))).flat().length === 0;
    if (!(await arena.becomes(haveEnded, LEASE_ENDS))) throw new Unforced('a lease outlives its renewals');
    renewals.forEach((fault) => fault.release());
    // It lives, and only its leases are gone.
    if (!(await arena.isBack(a, b))) throw new Unforced(`${a.name} does not use Redis`);
    return overtake(arena, keys, loads);
  },
};

const leaderKilled = {
  name: 'lease/leader-killed',
  title: 'The process that loads is killed with kill -9 while another one waits for its load',
  law: 6,
  batch: 20,
  spendsArena: true,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    await Promise.all(keys.map((key) => a.loading(key)));
    const asked = keys.map((key) => b.proxy.hold('request', mentions(key)));
    // Each is let go at once: what is held holds what comes behind it.
    for (const fault of asked) void fault.caught.then(() => fault.release());
    const waiting = keys.map((key) => b.load(key));
    await Promise.all(asked.map((fault) => arena.caught(fault)));
    await sleep(50);
    const killed = performance.now();
    a.signal('SIGKILL');
    return Promise.all(
      waiting.map(async (load) => {
        const isCalled = await load.called;
        const waited = performance.now() - killed;
        load.finish('new');
        const value = await load.result;
        if (value !== 'new' || !isCalled) return `the waiter got ${JSON.stringify(value)}`;
        if (load.calls !== 1) return `the waiter loaded ${load.calls} times`;
        return late(waited);
      }),
    );
  },
};

const once = {
  name: 'lease/one-load-in-four-processes',
  title: 'Four processes ask for one cold key at the same moment',
  law: 6,
  arena: { members: 4 },
  async repeat(arena, key) {
    const { members } = arena;
    const asked = members.map((member) => member.proxy.hold('request', mentions(key)));
    const loads = members.map((member) => member.load(key));
    await Promise.all(asked.map((fault) => arena.caught(fault)));
    asked.forEach((fault) => fault.release());
    await Promise.race(loads.map((load) => load.called));
    // Whoever does not wait for the first one begins meanwhile.
    await sleep(20);
    let isOver = false;
    const finishAll = async () => {
      while (!isOver) {
        for (const load of loads) load.finish('v');
        await sleep(5);
      }
    };
    const finishing = finishAll();
    const values = await Promise.all(loads.map((load) => load.result));
    isOver = true;
    await finishing;
    const calls = loads.reduce((sum, load) => sum + load.calls, 0);
    if (calls !== 1) return `the loader ran ${calls} times`;
    return values.every((value) => value === 'v') ? undefined : `the callers got ${JSON.stringify(values)}`;
  },
};

const workerInMidLoad = {
  name: 'lease/worker-terminated-in-mid-load',
  title: 'A worker thread is terminated while it loads what another thread of its process waits for',
  law: 6,
  batch: 20,
  async repeat(arena, keys) {
    const [a] = arena.members;
    const worker = await a.startWorker();
    await Promise.all(keys.map((key) => worker.loading(key)));
    const waiting = keys.map((key) => a.load(key));
    await sleep(20);
    await worker.terminate();
    return Promise.all(waiting.map((load) => takesOver(load, 'new')));
  },
};

const workerInMidFill = {
  name: 'lease/worker-terminated-in-mid-fill',
  title: 'A worker thread is terminated while what it has loaded is on its way to Redis; the others agree on a value',
  law: 12,
  batch: 20,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    const worker = await a.startWorker();
    const loads = await Promise.all(keys.map((key) => worker.loading(key)));
    const fills = keys.map((key) => a.proxy.hold('request', mentions(key)));
    for (const load of loads) load.finish('loaded');
    await arena.caught(fills[0]);
    await worker.terminate();
    fills.forEach((fill) => fill.release());
    const fine = new Set(['loaded', 'new']);
    return Promise.all(
      keys.map(async (key) => {
        const [value, other] = await Promise.all(
          [a, b].map(async (member) => (await member.loadNow(key, 'new')).value),
        );
        if (value !== other || !fine.has(value)) return `the others got ${JSON.stringify([value, other])}`;
        return arena.agree(key, (later) => later === value);
      }),
    );
  },
};

async function takesOver(load, value) {
  const start = performance.now();
  if (await load.called) load.finish(value);
  const got = await load.result;
  const waited = performance.now() - start;
  if (got !== value) return `the waiter got ${JSON.stringify(got)}`;
  return late(waited, DEADLINE);
}

function late(waited, limit = TAKEOVER) {
  return waited > limit ? `the waiter was kept waiting for ${Math.round(waited)} ms` : undefined;
}

export const leases = [
  once,
  lostInMidLoad,
  frozenInMidLoad,
  expiredInMidLoad,
  leaderKilled,
  workerInMidLoad,
  workerInMidFill,
];
