/** Law 10 and law 9: replies that are lost, come twice, out of order, late or in pieces. Nobody gets another key's value. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mentions, reads } from '../runner/matches.mjs';

const KEYS = 20;
/** Longer than a caller waits for Redis by default. */
const LATE = 700;

/** A reads keys whose values are the keys; `fault` is done to the reply of the first. */
const withFault = (name, title, fault, { holds = 0, begin = read } = {}) => ({
  name: `replies/${name}`,
  title,
  law: 10,
  batch: KEYS,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    for (const key of keys) await arena.inRedisOnly(key, key, b, a);
    // Long enough on their way for several questions of A to be open at once.
    a.proxy.delay(holds === 0 ? 5 : 0);
    const caught = fault(a.proxy, keys[0]);
    const calls = [];
    for (const key of keys) {
      calls.push((key === keys[0] ? begin : read)(a, key).catch(() => undefined));
      await sleep(1);
    }
    if (caught !== undefined) await arena.caught(caught, calls[0]);
    if (holds > 0) {
      await sleep(holds);
      caught.release();
    }
    // A system may wait for ever for a reply that was lost: that is another case.
    const got = await Promise.race([Promise.all(calls), sleep(3_000).then(() => undefined)]);
    const wrong = (got ?? []).map((value, index) => foreign(keys[index], value));
    const later = await Promise.all(keys.map((key) => a.get(key).catch(() => undefined)));
    const wrongLater = later.map((value, index) => foreign(keys[index], value));
    a.proxy.heal();
    const stuck = (await arena.isBack(a, b)) ? undefined : 'Redis is not used again';
    return keys.map((_, index) => wrong[index] ?? wrongLater[index] ?? stuck);
  },
});

const read = (member, key) => member.get(key);
const write = async (member, key) => void (await member.set(key, key));

const foreign = (key, value) =>
  value == null || value === key ? undefined : `a read of ${key} gave ${JSON.stringify(value)}`;

export const replies = [
  withFault('dropped', 'The reply to a read is lost, and others follow', (proxy, key) =>
    proxy.drop('reply', reads(key)),
  ),
  withFault('doubled', 'The reply to a read comes twice, and others follow', (proxy, key) =>
    proxy.double('reply', reads(key)),
  ),
  withFault('swapped', 'The reply to a read comes behind the one that follows it', (proxy, key) =>
    proxy.swap(reads(key)),
  ),
  withFault(
    'dropped-write',
    'The reply to a write is lost, and others follow',
    (proxy, key) => proxy.drop('reply', mentions(key)),
    { begin: write },
  ),
  withFault(
    'doubled-write',
    'The reply to a write comes twice, and others follow',
    (proxy, key) => proxy.double('reply', mentions(key)),
    { begin: write },
  ),
  withFault(
    'late',
    'A caller has given up; then its reply comes, and those of others behind it',
    (proxy, key) => proxy.hold('reply', reads(key)),
    { holds: LATE },
  ),
  withFault('in-pieces', 'Replies come byte by byte', (proxy) => proxy.trickle(16)),
];
