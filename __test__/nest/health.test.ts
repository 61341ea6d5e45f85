import { Controller, Get, type INestApplication } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { version } from '@nestjs/terminus/package.json';
import { Test } from '@nestjs/testing';
import { type CacheManager, ConfigurationError } from 'turbocache-js';
import { TurboCacheHealthIndicator, type TurboCacheHealthOptions } from 'turbocache-js/health';
import { getCacheToken, TurboCacheModule, type TurboCacheModuleOptions } from 'turbocache-js/nest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { until } from '../rig/until';
import { stop, track } from './fixture';

interface Answer {
  readonly http: number;
  readonly status: string;
  readonly cache: { status: string; state: string; remote: string; responseTime: number; problems: object };
}

/** How the installed terminus says `degraded`: 12 has the word, 11 says `up` and leaves it to the detail. */
const degraded = Number.parseInt(version, 10) >= 12 ? { all: 'degraded', one: 'degraded' } : { all: 'ok', one: 'up' };

/** A service with a health route, as terminus documents it, asked over HTTP. */
async function service(
  options: TurboCacheModuleOptions & { name?: string },
  health: TurboCacheHealthOptions = {},
): Promise<{ app: INestApplication; cache: CacheManager; ask: () => Promise<Answer> }> {
  @Controller('health')
  class HealthController {
    constructor(
      readonly terminus: HealthCheckService,
      readonly indicator: TurboCacheHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    check(): Promise<unknown> {
      return this.terminus.check([() => this.indicator.check('cache', health)]);
    }
  }

  const testing = Test.createTestingModule({
    imports: [TurboCacheModule.forRoot(options), TerminusModule.forRoot({ logger: false })],
    providers: [TurboCacheHealthIndicator],
    controllers: [HealthController],
  });
  const app = track((await testing.compile()).createNestApplication());
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/health`;
  const ask = async (): Promise<Answer> => {
    const response = await fetch(url);
    const body = (await response.json()) as { status: string; details: { cache: Answer['cache'] } };
    return { http: response.status, status: body.status, cache: body.details.cache };
  };
  return { app, cache: app.get<CacheManager>(getCacheToken(options.name)), ask };
}

describe('over a real Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  /** Asks until it is, and compares that answer: the next one may come too late on a busy machine. */
  const untilHealthy = async (ask: () => Promise<Answer>): Promise<void> => {
    let answer: Answer | undefined;
    await until('it is healthy', async () => (answer = await ask()).cache.state === 'healthy');
    expect(answer).toMatchObject(healthy);
  };

  const healthy = { http: 200, status: 'ok', cache: { status: 'up', state: 'healthy', remote: 'up', problems: {} } };

  it('is healthy, and tells how long the server took', async () => {
    // How long a busy machine takes is not the subject.
    const patient = { connectTimeout: '10s', commandTimeout: '10s' } as const;
    const { cache, ask } = await service({ redis: { url: redis.url, ...patient } }, { maxResponseTime: '10s' });
    await cache.ready();
    const begin = performance.now();
    const answer = await ask();
    const asked = performance.now() - begin;
    expect(answer).toMatchObject(healthy);
    expect(answer.cache.responseTime).toBeGreaterThanOrEqual(0);
    expect(answer.cache.responseTime).toBeLessThanOrEqual(Math.ceil(asked));
  });

  it('is degraded while the server is frozen, because memory still serves, and healthy when it thaws', async () => {
    const { cache, ask } = await service({ redis: { url: redis.url, commandTimeout: 100 } });
    await cache.ready();
    await redis.kill('SIGSTOP');
    try {
      const answer = await ask();
      expect(answer).toMatchObject({ http: 200, status: degraded.all });
      expect(answer.cache).toMatchObject({ status: degraded.one, state: 'degraded', remote: 'down' });
      expect(Object.keys(answer.cache.problems)).toEqual(['remote']);
      // That nobody tells of changes any more costs what is held, once.
      await until('memory serves', async () => {
        await cache.set('city', 'Oslo');
        return (await cache.get('city')) === 'Oslo';
      });
    } finally {
      await redis.kill('SIGCONT');
    }
    await untilHealthy(ask);
  });

  it('is degraded while the server is dead, and healthy when there is a new one', async () => {
    const { cache, ask } = await service({ redis: { url: redis.url } });
    await cache.ready();
    await redis.kill('SIGKILL');
    expect(await ask()).toMatchObject({ http: 200, cache: { state: 'degraded', remote: 'down' } });
    await redis.restart();
    await untilHealthy(ask);
  });

  it('is down without the server if it is told so', async () => {
    const { cache, ask } = await service({ redis: { url: redis.url, commandTimeout: 100 } }, { downWhen: ['remote'] });
    await cache.ready();
    await untilHealthy(ask);
    await redis.kill('SIGSTOP');
    try {
      expect(await ask()).toMatchObject({
        http: 503,
        status: 'error',
        cache: { status: 'down', state: 'down', remote: 'down' },
      });
    } finally {
      await redis.kill('SIGCONT');
    }
    await until('it is up again', async () => (await ask()).http === 200);
  });
});

describe('in memory', () => {
  it('is healthy without a remote tier, and asks nobody', async () => {
    const { ask } = await service({});
    expect(await ask()).toMatchObject({
      http: 200,
      cache: { state: 'healthy', remote: 'none', responseTime: 0, problems: {} },
    });
  });

  it.each<['degraded' | 'down', number, TurboCacheHealthOptions]>([
    ['degraded', 200, { maxMemory: '10kb' }],
    ['down', 503, { maxMemory: '10kb', downWhen: ['memory'] }],
  ])('is %s above its limit of memory', async (state, http, options) => {
    const { cache, ask } = await service({}, options);
    expect((await ask()).cache.state).toBe('healthy');
    await cache.set('big', 'x'.repeat(20_000));
    const answer = await ask();
    expect(answer).toMatchObject({ http, cache: { state } });
    expect(Object.keys(answer.cache.problems)).toEqual(['memory']);
  });

  it('is down when the manager is closed', async () => {
    const { cache, ask } = await service({});
    await cache.close();
    expect(await ask()).toMatchObject({ http: 503, cache: { state: 'down', problems: { closed: expect.anything() } } });
  });

  it('is degraded when the remote tier is slower than allowed', async () => {
    let slow = 0;
    const adapter = {
      name: 'slow',
      getMany: async (keys: readonly string[]) => {
        await new Promise((resolve) => setTimeout(resolve, slow));
        return keys.map(() => undefined);
      },
      setMany: async () => {},
      deleteMany: async (keys: readonly string[]) => keys.map(() => false),
    };
    const { app, ask } = await service({ adapter }, { maxResponseTime: 40 });
    await until('the first answer is quick', async () => (await ask()).cache.state === 'healthy');
    slow = 60;
    const { cache } = await ask();
    expect(cache).toMatchObject({ state: 'degraded', remote: 'up' });
    expect(cache.problems).toHaveProperty('responseTime');
    await stop(app);
  });
});

describe('what it is asked', () => {
  let indicator: TurboCacheHealthIndicator;
  beforeEach(async () => {
    const { app } = await service({ name: 'sessions' });
    indicator = app.get(TurboCacheHealthIndicator);
  });

  it('may be about a named manager', async () => {
    expect(await indicator.check('it', { manager: 'sessions' })).toMatchObject({ it: { state: 'healthy' } });
  });

  it.each<[string, object]>([
    ['manager', {}],
    ['manager', { manager: 'other' }],
    ['downWhen', { manager: 'sessions', downWhen: ['redis'] }],
    ['maxMemory', { manager: 'sessions', maxMemory: '5 apples' }],
    ['maxResponseTime', { manager: 'sessions', maxResponseTime: -1 }],
    ['maxMemmory', { manager: 'sessions', maxMemmory: 1 }],
  ])('is refused when "%s" is wrong: %o', async (option, options) => {
    const error = await indicator.check('it', options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ option });
  });
});
