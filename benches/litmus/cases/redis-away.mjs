/** Law 9: Redis is killed, frozen or unreachable. Calls are answered in time, and what was deleted meanwhile stays deleted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEADLINE } from '../runner/arena.mjs';
import { callsInTime } from '../runner/timed-calls.mjs';

const FREEZE = 30_000;
const QUICK_FREEZE = 3_000;
/** After the heal a change that Redis missed must have reached everybody. */
const CAUGHT_UP = 2_000;

const down = {
  name: 'redis-away/killed',
  title: 'Redis is killed with kill -9: reads and loads are answered in time',
  law: 9,
  batch: 50,
  spendsArena: true,
  async repeat(arena, keys) {
    const [a] = arena.members;
    await Promise.all(keys.map((key) => a.set(key, key)));
    await arena.redis.kill('SIGKILL');
    return callsInTime(a, keys, { milliseconds: 3_000, deadline: DEADLINE });
  },
};

const frozen = {
  name: 'redis-away/frozen',
  title: `Redis is frozen with SIGSTOP for ${FREEZE / 1_000} s: reads and loads are answered in time, and it is used again`,
  law: 9,
  batch: 250,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    await Promise.all(keys.map((key) => a.set(key, key)));
    await arena.redis.kill('SIGSTOP');
    const milliseconds = arena.quick ? QUICK_FREEZE : FREEZE;
    const wrong = await callsInTime(a, keys, { milliseconds, deadline: DEADLINE, pause: 500 });
    await arena.redis.kill('SIGCONT');
    const isBack = await arena.isBack(a, b);
    return isBack ? wrong : keys.map(() => 'Redis is not used again');
  },
};

/** `notices`: the process has learned that Redis does not answer before it deletes. */
const deletedWhileFrozen = (name, title, notices) => ({
  name: `redis-away/${name}`,
  title,
  law: 9,
  batch: 50,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    await Promise.all(keys.map((key) => arena.held(key, 'old')));
    await arena.redis.kill('SIGSTOP');
    if (notices) await callsInTime(a, [arena.key()], { milliseconds: 2_000, deadline: DEADLINE });
    const deletes = keys.map((key) => a.delete(key).catch(() => {}));
    await Promise.race([Promise.all(deletes), sleep(DEADLINE)]);
    await arena.redis.kill('SIGCONT');
    await Promise.all(deletes);
    return goneFor(arena, [a, b], keys);
  },
});

const deletedWhileUnreachable = {
  name: 'redis-away/delete-while-unreachable',
  title: 'Keys are deleted by a process that cannot reach Redis; then it can',
  law: 9,
  batch: 50,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    await Promise.all(keys.map((key) => arena.held(key, 'old')));
    a.proxy.cut({ refuse: true });
    const deletes = keys.map((key) => a.delete(key).catch(() => {}));
    await Promise.race([Promise.all(deletes), sleep(DEADLINE)]);
    a.proxy.heal();
    await Promise.all(deletes);
    return goneFor(arena, [a, b], keys);
  },
};

const failover = {
  name: 'redis-away/failover-loses-a-delete',
  title: 'Keys are deleted, the primary dies before its replica has heard of it, and the replica takes its place',
  law: 9,
  batch: 50,
  spendsArena: true,
  async repeat(arena, keys) {
    const { members, redis } = arena;
    const [a] = members;
    const line = await arena.startProxy(redis.port, { messages: false });
    const replica = await arena.startRedis({ args: ['--replicaof', '127.0.0.1', String(line.port)] });
    await Promise.all(keys.map((key) => arena.held(key, 'old')));
    const size = async (server) => server.cli('DBSIZE');
    if (!(await arena.becomes(async () => (await size(replica)) === (await size(redis)), 10_000))) {
      throw new Error('the replica did not follow its primary');
    }
    line.halfOpen();
    await Promise.all(keys.map((key) => a.delete(key)));
    await redis.kill('SIGKILL');
    await replica.cli('REPLICAOF', 'NO', 'ONE');
    for (const { proxy } of members) {
      proxy.targetPort = replica.port;
      proxy.cut();
    }
    return goneFor(arena, members, keys);
  },
};

/** The members must find each other through Redis again; from then on nobody may read what was deleted. */
async function goneFor(arena, members, keys) {
  const [a, b] = members;
  const areBack = (await arena.isBack(a, b)) && (await arena.isBack(b, a));
  if (!areBack) return keys.map(() => 'Redis is not used again');
  const wrong = await Promise.all(keys.map((key) => arena.forgotten(key, { members, within: CAUGHT_UP })));
  // What was asked for too early must not come back either.
  return Promise.all(
    keys.map(async (key, index) => {
      const values = await Promise.all(members.map((member) => member.get(key)));
      return wrong[index] ?? (values.includes('old') ? 'the old value came back' : undefined);
    }),
  );
}

export const redisAway = [
  down,
  frozen,
  deletedWhileFrozen('delete-while-frozen', 'Keys are deleted as soon as Redis is frozen; then it goes on', false),
  deletedWhileFrozen(
    'delete-late-in-a-freeze',
    'Keys are deleted when Redis has been frozen for 2 s, and the process knows it; then it goes on',
    true,
  ),
  deletedWhileUnreachable,
  failover,
];
