/** Waiting times over Redis: at a fixed rate, and behind a blocked event loop. */
import { createHistogram } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import * as peers from '../peers/redis-clients.mjs';
import { checkUser } from '../runner/in-flight.mjs';
import { KEYS, keyOf, keys, userOf } from '../values.mjs';

const PER_MILLISECOND = 8;
const BLOCKED = 20;
const WAITING = 256;

export const latency = [
  measured(
    'rate',
    `get at a fixed rate of ${PER_MILLISECOND},000 a second; waiting time since the call was due`,
    { p50: 'µs', p99: 'µs', 'p99.9': 'µs', max: 'µs', cpu: 'ns' },
    atFixedRate,
  ),
  measured(
    'blocked',
    `${WAITING} gets are sent, then the event loop is blocked for ${BLOCKED} ms; time from its end to the last value`,
    { rest: 'µs' },
    afterABlock,
  ),
];

/**
 * The schedule does not wait for answers: what is due while the loop is late or a call hangs is late too, and counts as
 * such (no coordinated omission).
 */
async function atFixedRate(client, { quick }) {
  const milliseconds = quick ? 400 : 3_000;
  const total = milliseconds * PER_MILLISECOND;
  const waits = createHistogram();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const calls = [];
  while (calls.length < total) {
    const dueByNow = Math.min(total, Math.floor(performance.now() - start) * PER_MILLISECOND);
    while (calls.length < dueByNow) {
      const id = calls.length % KEYS;
      const due = start + Math.floor(calls.length / PER_MILLISECOND) + 1;
      const call = client.get(keys[id]).then((user) => {
        checkUser(user, id);
        waits.record(Math.max(1, Math.round((performance.now() - due) * 1e3)));
      });
      calls.push(call);
    }
    await sleep(1);
  }
  await Promise.all(calls);
  const { user, system } = process.cpuUsage(cpu);
  return {
    p50: waits.percentile(50),
    p99: waits.percentile(99),
    'p99.9': waits.percentile(99.9),
    max: waits.max,
    cpu: ((user + system) * 1e3) / total,
  };
}

/** The answers arrive while nobody can take them: how soon has the last caller its value when the loop is free again? */
async function afterABlock(client) {
  const rests = [];
  for (let block = 0; block < 5; block++) {
    const calls = Array.from({ length: WAITING }, async (_, id) => checkUser(await client.get(keys[id]), id));
    await nextTurn();
    const end = performance.now() + BLOCKED;
    while (performance.now() < end);
    await Promise.all(calls);
    rests.push((performance.now() - end) * 1e3);
  }
  return { rest: rests.toSorted((a, b) => a - b)[2] };
}

function measured(name, title, columns, run) {
  return {
    name,
    title: `Redis only: ${title}`,
    isMeasured: true,
    needsRedis: true,
    columns,
    expected: userOf,
    entrants: peers.CLIENTS.map((open) => async (stage) => {
      const client = await open(stage.redis);
      await Promise.all(keys.map((key, id) => client.set(key, userOf(id))));
      await run(client, { quick: true });
      return {
        name: client.name,
        run: () => run(client, stage),
        read: (id) => client.get(keyOf(id)),
        close: client.close,
      };
    }),
  };
}
