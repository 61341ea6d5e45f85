/**
 * A cold key that many callers in many processes want at the same moment: how often its loader runs, and how long a
 * caller waits. Then the same with the loading process killed in mid-load. Exits with 1 when a figure is missed.
 *
 *     node benches/node/stampede.mjs [--processes=8] [--callers=1000] [--rounds=5] [--load=200]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CacheManager } from '../../index.mjs';
import { startRedis } from './redis-server.mjs';

const isChild = process.send !== undefined;
process.exitCode = isChild ? await child() : await main();

async function main() {
  const { values } = parseArgs({
    options: {
      processes: { type: 'string', default: '8' },
      callers: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '5' },
      load: { type: 'string', default: '200' },
    },
  });
  const [count, callers, rounds, load] = ['processes', 'callers', 'rounds', 'load'].map((name) => Number(values[name]));
  const redis = await startRedis();
  const begin = async () => {
    const made = fork(fileURLToPath(import.meta.url), [redis.url]);
    await once(made, 'message');
    return made;
  };
  const children = [];
  try {
    for (let index = 0; index < count; index++) children.push(await begin());
    console.log(`${count} processes, ${callers} callers each, a loader of ${load} ms`);
    let missed = 0;
    for (let round = 1; round <= rounds; round++) {
      const answers = await Promise.all(children.map((each) => ask(each, { key: `cold ${round}`, callers, load })));
      const loads = sum(answers.map((answer) => answer.loads));
      const slowest = Math.max(...answers.map((answer) => answer.slowest));
      console.log(`round ${round}: ${loads} load${loads === 1 ? '' : 's'}, the slowest caller waited ${slowest} ms`);
      if (loads !== 1) missed++;
    }
    for (let round = 1; round <= rounds; round++) {
      const leader = children.shift();
      const key = `orphaned ${round}`;
      const loading = once(leader, 'message');
      leader.send({ key, callers, load: 2 ** 30, tell: true });
      await loading;
      const waiting = children.map((each) => ask(each, { key, callers, load: 1 }));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const killed = performance.now();
      leader.kill('SIGKILL');
      const answers = await Promise.all(waiting);
      const took = Math.round(performance.now() - killed);
      const loads = 1 + sum(answers.map((answer) => answer.loads));
      console.log(`leader killed ${round}: ${loads} loads with its own, all answered ${took} ms after its death`);
      if (loads > 2 || took > 2_000) missed++;
      children.push(await begin());
    }
    return missed === 0 ? 0 : 1;
  } finally {
    for (const each of children) each.kill('SIGKILL');
    await redis.stop();
  }
}

async function ask(child, question) {
  child.send(question);
  const [answer] = await once(child, 'message');
  return answer;
}

async function child() {
  const manager = new CacheManager({ namespace: 'stampede', redis: { url: process.argv[2], commandTimeout: '10s' } });
  await manager.ready();
  await manager.get('warm');
  process.on('message', async ({ key, callers, load, tell }) => {
    let loads = 0;
    const loader = async () => {
      loads++;
      if (tell) process.send('loading');
      await new Promise((resolve) => setTimeout(resolve, load));
      return { loaded: key };
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: callers }, () => manager.getOrSet(key, loader)));
    process.send({ loads, slowest: Math.round(performance.now() - began) });
  });
  process.send('ready');
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
