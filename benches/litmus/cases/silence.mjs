/** Law 4: connections that say nothing any more, or that break while somebody else changes what is held. */
import { BOUND } from '../runner/arena.mjs';
import { mentions, reads } from '../runner/matches.mjs';
import { staleReads } from '../runner/stale-reads.mjs';

/** A's connections of this kind swallow everything, and nobody is told; B changes what A holds. */
const silent = (name, title, which) => ({
  name: `silence/${name}`,
  title,
  law: 4,
  needs: which === 'bus' ? ['bus'] : [],
  batch: 50,
  async repeat(arena, keys) {
    await Promise.all(keys.map((key) => arena.held(key, 'old')));
    return changedInSilence(arena, keys, which);
  },
});

async function changedInSilence(arena, keys, which) {
  const [a, b] = arena.members;
  a.proxy.halfOpen(which);
  const changed = [];
  for (const key of keys) {
    await b.set(key, 'new');
    changed.push(process.hrtime.bigint());
  }
  const wrong = await staleReads(a, keys, { changed, within: BOUND });
  a.proxy.heal();
  const healed = await Promise.all(keys.map((key) => arena.agree(key, (value) => value === 'new', { within: 10_000 })));
  return keys.map((_, index) => wrong[index] ?? healed[index]);
}

/** Silence once more, as soon as A has values in memory again after the first one. */
const silentTwice = {
  name: 'silence/twice',
  title: 'Connections fall silent, come back until values are in memory again, and fall silent once more',
  law: 4,
  batch: 10,
  async repeat(arena, keys) {
    const [a] = arena.members;
    await Promise.all(keys.map((key) => arena.held(key, 'old')));
    a.proxy.halfOpen();
    await arena.becomes(async () => (await a.get(keys[0])) !== 'old', 2 * BOUND);
    a.proxy.heal();
    await Promise.all(keys.map((key) => arena.keeps(a, key, 'old', 10_000)));
    return changedInSilence(arena, keys, 'all');
  },
};

export const silence = [
  silent(
    'all-connections',
    'All connections of a reader fall silent while another process changes what it holds',
    'all',
  ),
  silentTwice,
  silent('bus', 'Only the messages of a reader fall silent while another process changes what it holds', 'bus'),
  {
    name: 'silence/bus-cut',
    title: 'The connection for messages is cut, another process writes, the connection comes back',
    law: 4,
    needs: ['bus'],
    async repeat(arena, key) {
      const [a, b] = arena.members;
      await arena.held(key, 'old');
      a.proxy.cut({ which: 'bus', refuse: true });
      await b.set(key, 'new');
      a.proxy.heal();
      return arena.agree(key, (value) => value === 'new');
    },
  },
  {
    name: 'silence/message-lost',
    title: 'One message is lost while the connection for messages stands',
    law: 4,
    needs: ['bus'],
    async repeat(arena, key) {
      const [a, b] = arena.members;
      await arena.held(key, 'old');
      const lost = a.proxy.drop('push', mentions(key), { every: true });
      await b.set(key, 'new');
      await arena.caught(lost);
      const wrong = await arena.agree(key, (value) => value === 'new');
      lost.release();
      return wrong;
    },
  },
  {
    name: 'silence/reconnect-between-read-and-reply',
    title: 'The connection breaks between a read and its reply, and the key is deleted before the new one stands',
    law: 1,
    async repeat(arena, key) {
      const [a, b] = arena.members;
      await arena.inRedisOnly(key, 'old', b, a);
      const answer = a.proxy.hold('reply', reads(key));
      const read = a.get(key);
      await arena.caught(answer, read);
      a.proxy.cut({ refuse: true });
      await b.delete(key);
      a.proxy.heal();
      await read.catch(() => {}); // that the connection broke may be told
      const wrong = await arena.forgotten(key);
      await arena.isBack(a, b);
      return wrong;
    },
  },
];
