/** A decorated method of a Nest provider, beside the call that it stands for. */
import * as peers from '../peers/memory.mjs';
import { compiledLoop, compiledRead } from '../runner/compiled-loop.mjs';
import { KEYS, TTL, keys, userOf } from '../values.mjs';

/** The key is a number, as an id is: `userOf` has it at the same index as `keys`. */
const ids = Array.from({ length: KEYS }, (_, id) => id);

export const decorated = [
  {
    name: 'decorated',
    title: 'Hit of a decorated Nest method, 1,024 ids, an object of 10 fields',
    unit: KEYS,
    expected: userOf,
    entrants: [decoratedMethod, direct, dedupe],
  },
];

async function decoratedMethod() {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { TurboCache, TurboCacheModule } = await import('../../../nest.mjs');
  class Users {
    async find(id) {
      return userOf(id);
    }
  }
  // What `@TurboCache('user:#{id}')` above the method compiles to.
  const method = Object.getOwnPropertyDescriptor(Users.prototype, 'find');
  const wrapped = TurboCache('user:#{id}')(Users.prototype, 'find', method) ?? method;
  Object.defineProperty(Users.prototype, 'find', wrapped);
  class App {}
  Module({ imports: [TurboCacheModule.forRoot({ ttl: TTL })], providers: [Users] })(App);

  const app = await NestFactory.createApplicationContext(App, { logger: false });
  const cache = app.get(Users);
  for (const id of ids) await cache.find(id);
  const peer = { name: 'turbocache, decorated method', cache, close: () => app.close() };
  return contestant(peer, ids, 'await cache.find(key)');
}

async function direct() {
  const peer = await peers.turbocache(keys.map((key, index) => [key, userOf(index)]));
  return contestant({ ...peer, name: 'turbocache, getOrSet' }, keys, peer.loading);
}

async function dedupe() {
  const peer = await peers.asyncCacheDedupe(ids.map((id) => [id, userOf(id)]));
  return contestant(peer, ids, peer.loading);
}

const contestant = (peer, keysOfLoop, expression) => ({
  name: peer.name,
  run: compiledLoop(peer, keysOfLoop, expression),
  read: compiledRead(peer, keysOfLoop, expression),
  close: peer.close,
});
