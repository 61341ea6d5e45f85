/** A decorated method of a Nest provider, beside the call that it stands for. */
import * as peers from '../peers/memory.mjs';
import { compiledLoop, compiledRead } from '../runner/compiled-loop.mjs';
import { checkUser, inFlight } from '../runner/in-flight.mjs';
import { KEYS, TTL, userOf } from '../values.mjs';

/** The key is a number, as an id is: `userOf` has it at the same index as `keys`. */
const ids = Array.from({ length: KEYS }, (_, id) => id);
const names = ids.map((id) => `user-${id}`);

export const decorated = [
  {
    name: 'decorated',
    title: 'Hit of a decorated Nest method, 1,024 ids, an object of 10 fields',
    unit: KEYS,
    expected: userOf,
    entrants: [decoratedMethod(ids), direct(ids), dedupe],
  },
  {
    name: 'decorated-text',
    title: 'Hit of a decorated Nest method, 1,024 names instead of ids',
    unit: KEYS,
    expected: userOf,
    entrants: [decoratedMethod(names), direct(names)],
  },
  {
    name: 'decorated-miss',
    title: 'Memory only: a decorated Nest method of ids that nobody has asked for, it answers at once, 1 in flight',
    unit: 256,
    expected: userOf,
    entrants: [missing, missingDirect, undecorated],
  },
];

function decoratedMethod(wanted) {
  return async () => {
    const { service, close } = await nestService((one) => userOf(wanted.indexOf(one)));
    for (const one of wanted) await service.find(one);
    const peer = { name: 'turbocache, decorated method', cache: service, close };
    return contestant(peer, wanted, 'await cache.find(key)');
  };
}

/** The key is made for each call, as the decorator makes it. */
function direct(wanted) {
  return async () => {
    const peer = await peers.turbocache(wanted.map((one, index) => [`user:${one}`, userOf(index)]));
    const expression = 'await cache.getOrSet(`user:${key}`, loader)';
    return contestant({ ...peer, name: 'turbocache, getOrSet' }, wanted, expression);
  };
}

async function dedupe() {
  const peer = await peers.asyncCacheDedupe(ids.map((id) => [id, userOf(id)]));
  return contestant(peer, ids, peer.loading);
}

async function missing() {
  const { service, close } = await nestService(userOf);
  const run = inFlight(1, async (id) => checkUser(await service.find(id), id));
  return { name: 'turbocache, decorated method', run, read: (id) => service.find(id), close };
}

async function missingDirect() {
  const { cache, close } = await peers.turbocache([]);
  const find = (id) => cache.getOrSet(`user:${id}`, async () => userOf(id));
  return {
    name: 'turbocache, getOrSet',
    run: inFlight(1, async (id) => checkUser(await find(id), id)),
    read: find,
    close,
  };
}

async function undecorated() {
  const find = async (id) => userOf(id);
  return { name: 'no cache', run: inFlight(1, async (id) => checkUser(await find(id), id)), read: find };
}

/** A provider whose method is decorated as TypeScript does it: what `@TurboCache('user:#{id}')` above it compiles to. */
async function nestService(find) {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { TurboCache, TurboCacheModule } = await import('../../../nest.mjs');
  class Users {
    async find(id) {
      return find(id);
    }
  }
  const method = Object.getOwnPropertyDescriptor(Users.prototype, 'find');
  const wrapped = TurboCache('user:#{id}')(Users.prototype, 'find', method) ?? method;
  Object.defineProperty(Users.prototype, 'find', wrapped);
  class App {}
  Module({ imports: [TurboCacheModule.forRoot({ ttl: TTL })], providers: [Users] })(App);

  const app = await NestFactory.createApplicationContext(App, { logger: false });
  return { service: app.get(Users), close: () => app.close() };
}

const contestant = (peer, keysOfLoop, expression) => ({
  name: peer.name,
  run: compiledLoop(peer, keysOfLoop, expression),
  read: compiledRead(peer, keysOfLoop, expression),
  close: peer.close,
});
