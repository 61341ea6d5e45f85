import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { CacheManager, type TurboCacheError } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { Process, until, within } from './elsewhere';

const PASSWORD = 'p@ss:w/rd?#%&é';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
  await redis.cli('ACL', 'SETUSER', 'app', 'on', `>${PASSWORD}`, '~tc:*', '&tc:*', '+@all', '-@dangerous');
  await redis.cli('ACL', 'SETUSER', 'mute', 'on', '>mute', '~*', '+@all', '-publish', '-subscribe');
  await redis.cli('ACL', 'SETUSER', 'reader', 'on', '>reader', '~*', '&*', '+@read', '+@connection', '+@pubsub');
  // The rig's own connection stays logged in.
  await redis.cli('CONFIG', 'SET', 'requirepass', PASSWORD);
});
afterAll(() => redis.stop());

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const urlOf = (user: string, password: string): string =>
  `redis://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${redis.port}`;

function manager(url: string, namespace = randomUUID()) {
  const manager = new CacheManager({ namespace, redis: { url } });
  const errors: Error[] = [];
  const warnings: TurboCacheError[] = [];
  manager.on('error', (error) => errors.push(error));
  manager.on('warning', (warning) => warnings.push(warning));
  open.push(() => manager.close());
  return { manager, errors, warnings };
}

/** What a warning says is lost, and what still holds. */
const costIn = (message: string): string[] => /Lost: (.*)\. What still holds: (.*)\.$/.exec(message)?.slice(1) ?? [];

describe('a Redis that asks for a password', () => {
  it.each([
    ['the default user', () => urlOf('', PASSWORD)],
    ['an ACL user with rights to our keys and channels only', () => urlOf('app', PASSWORD)],
    ['a database by number', () => `${urlOf('app', PASSWORD)}/3`],
  ])('serves %s', async (_, url) => {
    const { manager: cache, errors } = manager(url());
    await until('it is connected', async () => (await cache.set('k', 1), cache.stats().remote.state === 'up'));
    const other = new Process({ namespace: cache.namespacePath, redis: { url: url() } });
    open.push(() => other.end());
    await until('the other reads it', () => other.run(async ({ manager }) => (await manager.get('k')) === 1));
    await cache.delete('k');
    await until('the other hears of it', () => other.run(({ manager }) => manager.peek('k') === undefined));
    await cache.clear();
    expect(errors).toEqual([]);
  });

  it.each([
    ['a wrong password', 'app', 'wrong-secret'],
    ['an unknown user', 'nobody', 'wrong-secret'],
    ['a wrong password of the default user', '', 'wrong-secret'],
  ])(
    'answers %s with one event, never with an exception, and without the password in it',
    async (_, user, password) => {
      const { manager: cache, errors } = manager(urlOf(user, password));
      await within(8_000, 'ready', cache.ready());
      for (let call = 0; call < 10; call++) {
        await within(8_000, 'set', cache.set('k', call));
        expect(
          await within(
            8_000,
            'getOrSet',
            cache.getOrSet(`cold ${call}`, () => 'loaded'),
          ),
        ).toBe('loaded');
        await within(8_000, 'delete', cache.delete('k'));
      }
      await until('the event', () => errors.length > 0);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatchObject({ name: 'RemoteError', code: 'E_TURBOCACHE_REMOTE' });
      expect(inspect(errors, { depth: null, showHidden: true })).not.toContain('wrong-secret');
      expect(JSON.stringify(cache.stats())).not.toContain('wrong-secret');
    },
  );

  it('is used once the password is right after all', async () => {
    const { manager: cache } = manager(urlOf('late', PASSWORD));
    await cache.set('k', 1);
    await until('it is down', () => cache.stats().remote.state === 'down');
    await redis.cli('ACL', 'SETUSER', 'late', 'on', `>${PASSWORD}`, '~tc:*', '&tc:*', '+@all');
    await until('it is up', () => cache.stats().remote.state === 'up');
  });

  const notChanged = [
    'changes do not reach Redis, and others may read there what is old',
    'this process forgets at once, and the others are told',
  ];
  it.each([
    [
      'no channels',
      'mute',
      {
        publish: [
          'other processes are not told of changes made here, and keep what they hold until it expires',
          'this process and Redis have the change at once',
        ],
        subscribe: [
          'changes by others are not heard',
          'what is held in memory is dropped once a second, so nothing is older than that',
        ],
      },
    ],
    [
      'no writes and no scripts',
      'reader',
      {
        set: notChanged,
        del: notChanged,
        eval: [
          'clear and tags in Redis, one load for all processes, and what loaders bring is not stored in Redis; while the namespace has no state there, nothing is read from it',
          'memory, one load a process, set, delete and their messages',
        ],
      },
    ],
  ])('and gives a user %s answers everything, and warns once of each loss', async (_, user, costs) => {
    const { manager: cache, warnings } = manager(urlOf(user, user));
    await until('the events', async () => {
      await within(8_000, 'set', cache.set('k', 1, { tags: ['t'] }));
      await within(8_000, 'get', cache.get('k'));
      const loaded = cache.getOrSet(randomUUID(), () => 'loaded');
      expect(await within(8_000, 'getOrSet', loaded)).toBe('loaded');
      await within(8_000, 'invalidateTags', cache.invalidateTags(['t']));
      await within(8_000, 'clear', cache.clear());
      await within(8_000, 'delete', cache.delete('k'));
      return Object.keys(costs).every((command) => warnings.some(({ option }) => option === command));
    });
    for (const warning of warnings) {
      expect(warning).toMatchObject({
        name: 'RemoteError',
        code: 'E_TURBOCACHE_REFUSED',
        expected: expect.stringContaining('docs/guides/redis.md'),
      });
    }
    // What is made good later may be refused by then, too: UNLINK.
    const told = Object.fromEntries(warnings.map(({ option, message }) => [option, costIn(message)]));
    expect(told).toMatchObject(costs);
    expect(warnings).toHaveLength(Object.keys(told).length);
    const standing = cache.stats().remote.warnings.map(({ about }) => about);
    expect(standing).toEqual(expect.arrayContaining(Object.keys(costs)));
  });

  it('and a URL that cannot be parsed is an error of the constructor without the password', () => {
    for (const url of [
      'redis://app:hidden-secret@',
      'http://app:hidden-secret@h',
      'redis://app:hidden-secret@h:port',
      'redis://app:hidden-secret@h/db',
    ]) {
      const refused = (): unknown => new CacheManager({ redis: { url } });
      expect(refused).toThrow(
        expect.objectContaining({ name: 'ConfigurationError', code: 'E_TURBOCACHE_OPTION', option: 'redis.url' }),
      );
      try {
        refused();
      } catch (error) {
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain('hidden-secret');
      }
    }
  });
});
