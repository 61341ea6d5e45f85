import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { CacheManager } from 'turbocache-js';
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

function manager(url: string, namespace = randomUUID()): { manager: CacheManager; errors: Error[] } {
  const manager = new CacheManager({ namespace, redis: { url } });
  const errors: Error[] = [];
  manager.on('error', (error) => errors.push(error));
  open.push(() => manager.close());
  return { manager, errors };
}

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

  it.each([
    ['no channels', 'mute', 'mute'],
    ['no writes and no scripts', 'reader', 'reader'],
  ])('and gives a user %s answers everything', async (_, user, password) => {
    const { manager: cache } = manager(urlOf(user, password));
    for (let call = 0; call < 5; call++) {
      await within(8_000, 'set', cache.set('k', call, { tags: ['t'] }));
      await within(8_000, 'get', cache.get('k'));
      expect(
        await within(
          8_000,
          'getOrSet',
          cache.getOrSet(`cold ${call}`, () => 'loaded'),
        ),
      ).toBe('loaded');
      await within(8_000, 'invalidateTags', cache.invalidateTags(['t']));
      await within(8_000, 'clear', cache.clear());
      await within(8_000, 'delete', cache.delete('k'));
    }
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
