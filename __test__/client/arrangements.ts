/** Every arrangement of tiers, on the real engine: what the tests of promises that hold everywhere run against. */
import { CacheManager, MemoryAdapter, type CacheManagerOptions, type TurboCacheError } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { freePort } from '../rig/port';
import { startRedis, type RedisServer } from '../rig/redis';
import { until } from '../rig/until';

export type Arrange = (options?: CacheManagerOptions) => CacheManager;

export interface Arrangements {
  /** By name. */
  readonly all: readonly (readonly [string, Arrange])[];
  /** The same with a Redis that does not answer: calls go on without it. */
  readonly down: readonly (readonly [string, Arrange])[];
  /**
   * Resolves when nothing more is forgotten without a cause: while Redis does not answer, all that is held is dropped once, as soon as
   * nothing has proved for too long that everything was heard.
   */
  settled(manager: CacheManager): Promise<void>;
  /** A manager that is closed behind the test, and whose errors fail it. */
  readonly make: (options: CacheManagerOptions) => CacheManager;
  /** The errors so far; those that a test takes do not fail it. */
  takeErrors(): TurboCacheError[];
  /** A namespace that nobody used before. */
  namespace(): string;
  /** The address of the running server. */
  url(): string;
}

/** Starts what they need, and closes all managers behind each test. */
export function arrangements(): Arrangements {
  let redis: RedisServer;
  let nobody: string;
  let namespaces = 0;
  const open: CacheManager[] = [];
  const unheard = new Set<CacheManager>();
  const errors: TurboCacheError[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    nobody = `redis://127.0.0.1:${await freePort()}`;
  });
  afterAll(() => redis.stop());
  afterEach(async () => {
    await Promise.all(open.splice(0).map((manager) => manager.close()));
    expect(errors.splice(0)).toEqual([]);
  });

  const namespace = (): string => `test-${namespaces++}`;
  const make = (options: CacheManagerOptions): CacheManager => {
    const manager = new CacheManager(options);
    manager.on('error', (error) => {
      // That nobody answers is what the arrangement is about.
      if (error.code !== 'E_TURBOCACHE_REMOTE' || options.redis?.url !== nobody) errors.push(error);
    });
    if (options.redis?.url === nobody) unheard.add(manager);
    open.push(manager);
    return manager;
  };
  const withRedis =
    // A Redis that answers is waited for: what a deadline costs is the subject of other tests.
    (url: () => string, fixed: CacheManagerOptions = {}, connectTimeout = 10_000): Arrange =>
      (options) =>
        make({
          namespace: namespace(),
          redis: { url: url(), connectTimeout, commandTimeout: '10s' },
          ...fixed,
          ...options,
        });
  const settled = async (manager: CacheManager): Promise<void> => {
    await manager.ready();
    if (!unheard.has(manager)) return;
    await until('it is not waited for any more', () => manager.stats().invalidations.drops > 0);
  };
  const up = (): string => redis.url;
  const down = (): string => nobody;

  return {
    make,
    namespace,
    settled,
    url: up,
    takeErrors: () => errors.splice(0),
    all: Object.entries<Arrange>({
      'memory and hot': (options) => make({ ...options }),
      'memory alone': (options) => make({ hot: false, ...options }),
      'memory, shared by name': (options) => make({ namespace: namespace(), ...options }),
      'hot, memory and Redis': withRedis(up),
      'memory and Redis': withRedis(up, { hot: false }),
      'Redis alone': withRedis(up, { hot: false, memory: false }),
      'hot, memory and an adapter': (options) => make({ adapter: new MemoryAdapter(), ...options }),
    }),
    down: Object.entries<Arrange>({
      'hot, memory and a Redis that is down': withRedis(down, {}, 50),
      'memory and a Redis that is down': withRedis(down, { hot: false }, 50),
    }),
  };
}
