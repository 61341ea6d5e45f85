/** Writes by clients that know nothing of the cache. */
import { mentions } from '../runner/matches.mjs';
import { Unforced } from '../runner/member.mjs';

/** So many keys the tracking table of the server may have. */
const TABLE = 10;

/** `change` gets the names under which Redis holds two keys of which a reader holds the first in memory. */
const foreign = (name, title, change) => ({
  name: `foreign/${name}`,
  title: `Another client of Redis: ${title}`,
  law: 1,
  needs: ['foreign'],
  async repeat(arena, key) {
    const other = arena.key();
    await arena.held(key, 'old');
    await arena.members[0].set(other, 'of another key');
    const [names, others] = await Promise.all([arena.names(key), arena.names(other)]);
    await change((...words) => arena.redis.cli(...words), names[0], others[0]);
    return arena.agree(key, (value) => value !== 'old' && value !== 'of another key');
  },
});

/** A dump as the bytes it is: replies come as latin1. */
const dump = async (redis, name) => Buffer.from(await redis('DUMP', name), 'latin1');

/** The numbers that the server gives of itself. */
async function statistics(redis) {
  const lines = (await redis.cli('INFO')).split('\r\n').map((line) => line.split(':'));
  return Object.fromEntries(lines.map(([name, value]) => [name, Number(value)]));
}

export const foreignWriters = [
  foreign('delete', 'DEL of a key that is held in memory', (redis, name) => redis('DEL', name)),
  foreign('set', 'SET of a key that is held in memory', (redis, name) => redis('SET', name, 'anything')),
  foreign('expire', 'PEXPIRE of a key that is held in memory', (redis, name) => redis('PEXPIRE', name, 1)),
  foreign('rename-away', 'RENAME of a key that is held in memory', (redis, name) => redis('RENAME', name, 'elsewhere')),
  foreign('rename-onto', 'RENAME of another key onto one that is held in memory', (redis, name, other) =>
    redis('RENAME', other, name),
  ),
  foreign('restore', 'RESTORE of another key’s bytes over one that is held in memory', async (redis, name, other) =>
    redis('RESTORE', name, 0, await dump(redis, other), 'REPLACE'),
  ),
  {
    name: 'foreign/multi-key-push',
    title: 'Another client of Redis: one DEL of three keys that are held in memory, told by one push',
    law: 1,
    needs: ['foreign'],
    async repeat(arena, first) {
      const keys = [first, arena.key(), arena.key()];
      for (const key of keys) await arena.held(key, 'old');
      const names = await Promise.all(keys.map((key) => arena.names(key)));
      const mentionsAll = (words) => keys.every((key) => mentions(key)(words));
      const pushes = arena.members.map((member) => member.proxy.hold('push', mentionsAll));
      await arena.redis.cli('DEL', ...names.flat());
      for (const push of pushes) await arena.caught(push);
      pushes.forEach((push) => push.release());
      const wrong = await Promise.all(keys.map((key) => arena.forgotten(key)));
      return wrong.find((sentence) => sentence !== undefined);
    },
  },
  {
    name: 'foreign/nil-push',
    title: 'Another client of Redis: FLUSHALL while keys are held in memory',
    law: 1,
    needs: ['foreign'],
    async repeat(arena, key) {
      await arena.held(key, 'old');
      await arena.redis.cli('FLUSHALL');
      return arena.forgotten(key);
    },
  },
  {
    name: 'foreign/more-keys-than-the-tracking-table',
    title: 'More keys are held than the server’s tracking table may have, which stays empty; all of them change',
    law: 1,
    needs: ['foreign'],
    batch: 50,
    arena: { redis: { args: ['--tracking-table-max-keys', String(TABLE)] } },
    async repeat(arena, keys) {
      // They count, too: a last batch may be a small one.
      const others = Array.from({ length: TABLE + 1 }, () => arena.key());
      for (const key of [...others, ...keys]) await arena.held(key, 'old');
      const { tracking_clients: clients, tracking_total_keys: tracked } = await statistics(arena.redis);
      if (clients === 0) throw new Unforced('nobody has asked the server to tell of changes');
      if (tracked > 0) return keys.map(() => `the server remembers ${tracked} keys, and may have to forget some`);
      const names = await Promise.all(keys.map((key) => arena.names(key)));
      for (const name of names.flat()) await arena.redis.cli('DEL', name);
      return Promise.all(keys.map((key) => arena.forgotten(key)));
    },
  },
  {
    name: 'foreign/bytes-of-another-key',
    title: 'Another client of Redis: the bytes of another key stand under a key that nobody holds',
    law: 10,
    async repeat(arena, key) {
      const [a, b] = arena.members;
      const other = arena.key();
      await arena.inRedisOnly(key, 'own', b, a);
      await arena.inRedisOnly(other, 'of another key', b, a);
      const [names, others] = await Promise.all([arena.names(key), arena.names(other)]);
      await arena.redis.cli('RENAME', others[0], names[0]);
      return arena.agree(key, (value) => value !== 'of another key', { members: [a] });
    },
  },
];
