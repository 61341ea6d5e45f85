import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { CacheManagerOptions, RedisOptions } from '../../index';
import { CacheManager, ConfigurationError, InvalidArgumentError, MemoryAdapter } from '../../node/client';
import { DEFAULTS } from './fake-binding';
import { makeManager, turns } from './fixture';

/** What the constructor throws. */
function refused(options: unknown): ConfigurationError {
  try {
    makeManager(options as CacheManagerOptions);
  } catch (error) {
    return error as ConfigurationError;
  }
  throw new Error('it was accepted');
}

describe('the options of a manager', () => {
  it('reach the engine in milliseconds and bytes, with the engine’s own defaults', () => {
    const { engine } = makeManager({
      namespace: 'shop',
      version: 2,
      memory: { maxBytes: '1mb' },
      redis: { url: 'redis://h', commandTimeout: '1s' },
    });
    expect(engine.opened).toEqual({
      namespace: 'shop',
      version: '2',
      memory: { maxBytes: 1 << 20, eviction: 's3-fifo' },
      redis: {
        url: 'redis://h',
        connectTimeout: DEFAULTS.redis.connectTimeout,
        commandTimeout: 1_000,
        tracking: true,
      },
      adapter: false,
      compression: DEFAULTS.compression,
      maxKeyBytes: DEFAULTS.maxKeyBytes,
      maxValueBytes: DEFAULTS.maxValueBytes,
    });
  });

  it('ask Redis for changes by others only where something could be made old', () => {
    const trackingOf = (options: CacheManagerOptions) =>
      makeManager({ redis: { url: 'redis://h' }, ...options }).engine.opened?.redis?.tracking;
    expect(trackingOf({})).toBe(true);
    expect(trackingOf({ hot: false })).toBe(true);
    expect(trackingOf({ memory: false })).toBe(true);
    expect(trackingOf({ hot: false, memory: false })).toBe(false);
    expect(trackingOf({ redis: { url: 'redis://h', tracking: false } })).toBe(false);
  });

  it('can switch tiers off', () => {
    const { engine } = makeManager({ memory: false, hot: false, compression: false });
    expect(engine.opened).toMatchObject({ memory: null, redis: null, compression: null });
  });

  it('are refused with the name that was probably meant', () => {
    const error = refused({ memory: { maxByte: 1 } });
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'memory.maxByte', expected: 'memory.maxBytes' });
    expect(error.message).toContain('did you mean memory.maxBytes?');
  });

  it.each<[unknown, string, string]>([
    [{ ttl: -1 }, 'E_TURBOCACHE_DURATION', 'ttl'],
    [{ ttl: 0 }, 'E_TURBOCACHE_DURATION', 'ttl'],
    [{ ttl: '5' }, 'E_TURBOCACHE_DURATION', 'ttl'],
    [{ ttl: NaN }, 'E_TURBOCACHE_DURATION', 'ttl'],
    [{ grace: '1 day' }, 'E_TURBOCACHE_DURATION', 'grace'],
    [{ softTimeout: 'x' }, 'E_TURBOCACHE_DURATION', 'softTimeout'],
    [{ eagerRefresh: 1 }, 'E_TURBOCACHE_OPTION', 'eagerRefresh'],
    [{ eagerRefresh: '0.5' }, 'E_TURBOCACHE_OPTION', 'eagerRefresh'],
    [{ memory: { maxBytes: '64' } }, 'E_TURBOCACHE_OPTION', 'memory.maxBytes'],
    [{ memory: { eviction: 'lru' } }, 'E_TURBOCACHE_OPTION', 'memory.eviction'],
    [{ memory: true }, 'E_TURBOCACHE_OPTION', 'memory'],
    [{ hot: { maxEntries: 0 } }, 'E_TURBOCACHE_OPTION', 'hot.maxEntries'],
    [{ hot: { reads: 'clone' } }, 'E_TURBOCACHE_OPTION', 'hot.reads'],
    [{ namespace: '' }, 'E_TURBOCACHE_OPTION', 'option namespace'],
    [{ version: {} }, 'E_TURBOCACHE_OPTION', 'version'],
    [{ serializer: 'yaml' }, 'E_TURBOCACHE_OPTION', 'serializer'],
    [{ serializer: { id: 5, name: 'x', serialize() {}, deserialize() {} } }, 'E_TURBOCACHE_OPTION', 'serializer.id'],
    [{ strategy: {} }, 'E_TURBOCACHE_OPTION', 'strategy'],
    [{ adapter: {} }, 'E_TURBOCACHE_OPTION', 'adapter'],
    [{ compression: { level: 20 } }, 'E_TURBOCACHE_OPTION', 'compression.level'],
    [{ bulkhead: 5 }, 'E_TURBOCACHE_OPTION', 'bulkhead'],
    [{ bulkhead: { maxConcurrent: 0 } }, 'E_TURBOCACHE_OPTION', 'bulkhead.maxConcurrent'],
    [{ bulkhead: { maxQueued: -1 } }, 'E_TURBOCACHE_OPTION', 'bulkhead.maxQueued'],
    [{ bulkhead: { limit: 3 } }, 'E_TURBOCACHE_OPTION', 'bulkhead.limit'],
    [{ maxKeyBytes: 1.5 }, 'E_TURBOCACHE_OPTION', 'maxKeyBytes'],
    [{ redis: {} }, 'E_TURBOCACHE_OPTION', 'redis.url'],
    [{ redis: { url: 'redis://h', cluster: ['redis://h'] } }, 'E_TURBOCACHE_OPTION', 'redis.cluster'],
    [{ redis: { cluster: ['redis://h'], sentinel: {} } }, 'E_TURBOCACHE_OPTION', 'redis.sentinel'],
    [{ redis: { cluster: [] } }, 'E_TURBOCACHE_OPTION', 'redis.cluster'],
    [{ redis: { cluster: 'redis://h' } }, 'E_TURBOCACHE_OPTION', 'redis.cluster'],
    [{ redis: { cluster: ['redis://h/1'] } }, 'E_TURBOCACHE_OPTION', 'redis.cluster'],
    [{ redis: { cluster: ['redis://u:hidden@a', 'redis://u:other@b'] } }, 'E_TURBOCACHE_OPTION', 'redis.cluster'],
    [{ redis: { cluster: ['redis://a', 'rediss://b'] } }, 'E_TURBOCACHE_OPTION', 'redis.cluster'],
    [{ redis: { sentinel: { nodes: ['redis://h'] } } }, 'E_TURBOCACHE_OPTION', 'redis.sentinel.name'],
    [{ redis: { sentinel: { name: 'm' } } }, 'E_TURBOCACHE_OPTION', 'redis.sentinel.nodes'],
    [{ redis: { sentinel: { name: 'm', nodes: ['h:1'] } } }, 'E_TURBOCACHE_OPTION', 'redis.sentinel.nodes'],
    [
      { redis: { sentinel: { name: 'm', nodes: ['redis://h'], nodse: 1 } } },
      'E_TURBOCACHE_OPTION',
      'redis.sentinel.nodse',
    ],
    [
      { redis: { sentinel: { name: 'm', nodes: ['redis://h'], username: 'u' } } },
      'E_TURBOCACHE_OPTION',
      'redis.sentinel.password',
    ],
    [
      { redis: { sentinel: { name: 'm', nodes: ['redis://h'], database: -1 } } },
      'E_TURBOCACHE_OPTION',
      'redis.sentinel.database',
    ],
    [{ redis: { url: 'redis://h', required: 1 } }, 'E_TURBOCACHE_OPTION', 'redis.required'],
    [{ redis: { url: 'redis://h', connectTimeout: 0 } }, 'E_TURBOCACHE_DURATION', 'redis.connectTimeout'],
    [{ redis: { url: 'redis://h', tracking: 'yes' as never } }, 'E_TURBOCACHE_OPTION', 'redis.tracking'],
    [{ redis: { url: 'redis://h' }, adapter: new MemoryAdapter() }, 'E_TURBOCACHE_OPTION', 'adapter'],
    [[], 'E_TURBOCACHE_OPTION', 'options'],
    ['redis://h', 'E_TURBOCACHE_OPTION', 'options'],
  ])('%j is refused', (options, code, option) => {
    const error = refused(options);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ code, option });
    expect(error.expected).toBeTruthy();
  });

  it('say where Redis is in one of three ways', () => {
    const { connectTimeout, commandTimeout } = DEFAULTS.redis;
    const times = { connectTimeout, commandTimeout, tracking: true };
    const redisOf = (redis: RedisOptions) => makeManager({ redis }).engine.opened?.redis;
    const nodes = ['redis://a:7000', 'redis://b:7001'];
    expect(redisOf({ cluster: nodes })).toEqual({ cluster: nodes, ...times });
    expect(redisOf({ sentinel: { name: 'shop', nodes } })).toEqual({
      sentinel: { name: 'shop', nodes, username: null, password: null, ...DEFAULTS.redis.sentinel },
      ...times,
    });
    expect(
      redisOf({ sentinel: { name: 'shop', nodes, username: 'u', password: 'p', database: 2, tls: true } }),
    ).toEqual({
      sentinel: { name: 'shop', nodes, username: 'u', password: 'p', database: 2, tls: true },
      ...times,
    });
  });

  it.each([
    'http://u:s3cret@h',
    'redis://u:s3cret@',
    'redis://u:s3cret@h/zero',
    'redis:u:s3c@ret@h:1:2',
    '//u:s3cret@h',
  ])('a URL that cannot be right is refused without its password: %s', (url) => {
    const error = refused({ redis: { url } });
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'redis.url' });
    expect(inspect(error, { depth: 9 })).not.toMatch(/s3c|ret@/);
  });

  it('what the engine refuses is thrown as the error that it means', () => {
    expect.assertions(2);
    const message = JSON.stringify({
      message: 'memory is shared with other options',
      option: 'memory',
      got: 1,
      expected: '2',
    });
    try {
      const { engine } = makeManager();
      engine.refuseToOpen = Object.assign(new Error(message), { code: 'E_TURBOCACHE_CLASH' });
      new CacheManager();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error).toMatchObject({
        code: 'E_TURBOCACHE_CLASH',
        message: 'memory is shared with other options',
        option: 'memory',
        got: 1,
      });
    }
  });
});

describe('options that make no sense together', () => {
  it('are warned about, once, where they were given', async () => {
    const { manager, warnings } = makeManager({ softTimeout: '1s', jitter: '10m' });
    manager.cache('a', { hardTimeout: '1s', grace: '1m', ttl: null, eagerRefresh: 0.5 });
    manager.cache('a');
    manager.namespace('b');
    await turns();
    expect(warnings.map(({ code, option, message }) => [code, option, /manager|cache 'a'/.exec(message)?.[0]])).toEqual(
      [
        ['E_TURBOCACHE_OPTION', 'softTimeout', 'manager'],
        ['E_TURBOCACHE_OPTION', 'jitter', 'manager'],
        ['E_TURBOCACHE_OPTION', 'softTimeout', "cache 'a'"],
        ['E_TURBOCACHE_OPTION', 'eagerRefresh', "cache 'a'"],
      ],
    );
  });
});

describe('the options of a call', () => {
  it.each<[string, unknown, string]>([
    ['ttl', { ttl: 0 }, 'E_TURBOCACHE_DURATION'],
    ['ttl', { ttl: '10' }, 'E_TURBOCACHE_DURATION'],
    ['options.tags', { tags: 'a' }, 'E_TURBOCACHE_ARGUMENT'],
    ['options.tags', { tags: [''] }, 'E_TURBOCACHE_ARGUMENT'],
    ['options.tags', { tags: ['x'.repeat(257)] }, 'E_TURBOCACHE_ARGUMENT'],
    ['options.tags', { tags: Array.from({ length: 65 }, (_, index) => `t${index}`) }, 'E_TURBOCACHE_ARGUMENT'],
    ['options.tll', { tll: 5 }, 'E_TURBOCACHE_ARGUMENT'],
  ])('reject the call, naming %s', async (option, options, code) => {
    const { manager, engine } = makeManager();
    const rejection = manager.set('k', 1, options as object);
    await expect(rejection).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(rejection).rejects.toMatchObject({ code, option });
    await expect(manager.getOrSet('k', () => 1, options as object)).rejects.toMatchObject({ code, option });
    expect(engine.requests).toEqual([]);
  });

  it('count before those of the cache, and those before the manager’s', async () => {
    const { manager, engine } = makeManager({ ttl: '1h', grace: '1m' });
    const users = manager.cache('users', { ttl: '10m' });
    await manager.set('k', 1);
    await users.set('k', 1);
    await users.set('k', 1, { ttl: '5s', grace: 0 });
    await users.set('k', 1, { ttl: null });
    expect(engine.requests.map(({ ttl, grace }) => [ttl, grace])).toEqual([
      [3_600_000, 60_000],
      [600_000, 60_000],
      [5_000, 0],
      [Infinity, 60_000],
    ]);
  });

  it('jitter shortens a ttl by at most its time', async () => {
    const { manager, engine } = makeManager({ ttl: 1_000, jitter: 400 });
    for (let n = 0; n < 50; n++) await manager.set('k', n);
    const ttls = engine.requests.map(({ ttl }) => ttl);
    expect(Math.min(...ttls)).toBeGreaterThanOrEqual(600);
    expect(Math.max(...ttls)).toBeLessThanOrEqual(1_000);
    expect(new Set(ttls).size).toBeGreaterThan(5);
  });

  it('a strategy decides the ttl, and a broken one is reported and ignored', async () => {
    const ttlOf = (value: unknown): any => (value === 'long' ? '1h' : value === 'keep' ? undefined : 'nonsense');
    const { manager, engine, errors } = makeManager({ ttl: 1_000, strategy: { ttl: ({ value }) => ttlOf(value) } });
    await manager.set('k', 'long');
    await manager.set('k', 'keep');
    await manager.set('k', 'broken');
    expect(engine.requests.map(({ ttl }) => ttl)).toEqual([3_600_000, 1_000, 1_000]);
    expect(errors).toMatchObject([{ option: 'strategy' }]);
  });
});
