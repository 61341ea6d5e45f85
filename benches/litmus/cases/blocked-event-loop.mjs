/** Law 3: what the engine has heard the next read sees, also in the middle of a turn of the event loop that blocks it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Unforced } from '../runner/member.mjs';

const BLOCKED = 500;

/** Runs in the member: begins to block soon, and looks at the keys all the time. */
function block(scope, keys, milliseconds, peeks) {
  const { cache } = scope;
  scope.turn = new Promise((resolve) => {
    setTimeout(() => {
      const pause = new Int32Array(new SharedArrayBuffer(4));
      const before = cache.received?.() ?? 0;
      const samples = [];
      const start = process.hrtime.bigint();
      const end = start + BigInt(milliseconds) * 1_000_000n;
      for (let now = start; now < end; now = process.hrtime.bigint()) {
        // Counted before it is looked at: what has been received by then must be seen.
        if (peeks) samples.push({ received: cache.received() - before, values: keys.map((key) => cache.peek(key)) });
        Atomics.wait(pause, 0, 0, 1);
      }
      // Reads whose promises are made in the very same turn.
      const next = Promise.all(keys.map((key) => cache.get(key)));
      resolve(next.then((after) => ({ start, end, samples, after })));
    }, 10);
  });
}

async function play(arena, keys, peeks) {
  const [a, b] = arena.members;
  await Promise.all(keys.map((key) => arena.held(key, 'old')));
  await a.run(block, keys, BLOCKED, peeks);
  await sleep(30);
  const began = process.hrtime.bigint();
  for (const key of keys) await b.delete(key);
  const ended = process.hrtime.bigint();
  const turn = await a.run((scope) => scope.turn);
  if (began < turn.start || ended > turn.end - 100_000_000n)
    throw new Unforced('the deletes did not fall into the turn');
  return turn;
}

export const blockedEventLoop = [
  {
    name: 'blocked-event-loop/inside',
    title: `Reads inside a turn that blocks for ${BLOCKED} ms, after a delete elsewhere was received`,
    law: 3,
    needs: ['peek'],
    batch: 50,
    async repeat(arena, keys) {
      const { samples } = await play(arena, keys, true);
      return keys.map((key, index) => {
        // Messages of one sender come in their order: the first n are those of the first n keys.
        const told = samples.filter(({ received }) => received > index);
        if (told.length === 0) return `the delete of ${key} was not received while the event loop was blocked`;
        const stale = told.filter(({ values }) => values[index] === 'old').length;
        return stale === 0 ? undefined : `${stale} reads of ${key} gave the old value after its delete was received`;
      });
    },
  },
  {
    name: 'blocked-event-loop/next-read',
    title: `The next read after a turn that blocked for ${BLOCKED} ms, in which another process deleted the key`,
    law: 3,
    batch: 50,
    async repeat(arena, keys) {
      const { after } = await play(arena, keys, false);
      return keys.map((key, index) =>
        after[index] === 'old' ? `the next read of ${key} gave the old value` : undefined,
      );
    },
  },
];
