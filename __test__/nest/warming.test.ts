import { Injectable, Scope } from '@nestjs/common';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { CacheManager, DecoratorError, MemoryAdapter, type TurboCacheError } from 'turbocache-js';
import { type CacheFailure, getCacheToken, TurboCache, TurboCacheDefaults, TurboCacheModule } from 'turbocache-js/nest';
import {
  TurboCacheRefreshAhead,
  TurboCacheWarm,
  TurboCacheWarming,
  TurboCacheWarmingModule,
  type TurboCacheWarmingOptions,
  type WarmContext,
  type WarmProgress,
} from 'turbocache-js/warming';
import { describe, expect, it } from 'vitest';
import { until } from '../rig/until';
import { errorOf, type Reported, start, stop, track } from './fixture';

type Provider = new (...args: any[]) => object;

interface Service {
  readonly app: TestingModule;
  readonly cache: CacheManager;
  readonly warming: TurboCacheWarming;
  readonly ends: WarmProgress[];
  readonly failures: Reported[];
}

async function service(
  providers: Provider[],
  options: TurboCacheWarmingOptions = {},
  imports: Provider[] | object[] = [],
): Promise<Service> {
  const [ends, failures]: [WarmProgress[], Reported[]] = [[], []];
  const onProgress = (progress: WarmProgress) => {
    if (progress.state !== 'running') ends.push(progress);
  };
  const app = await start({
    imports: [
      TurboCacheModule.forRoot({ onError: (error, failure) => void failures.push({ error, ...failure }) }),
      TurboCacheWarmingModule.forRoot({ onProgress, ...options }),
      ...(imports as object[] as Provider[]),
    ],
    providers,
  });
  return { app, cache: app.get(CacheManager), warming: app.get(TurboCacheWarming), ends, failures };
}

class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

const failure = (starting: Promise<unknown>): Promise<unknown> => starting.then(String, (error: unknown) => error);

describe('@TurboCacheWarm at start-up', () => {
  it('calls a cached method with each list of arguments, and the first caller finds the value', async () => {
    @Injectable()
    class Cities {
      reads: string[] = [];
      @TurboCacheWarm({ args: [['oslo'], ['rome']], blocking: true })
      @TurboCache({ key: 'city:#{name}', ttl: '1h' })
      async find(name: string): Promise<string> {
        this.reads.push(name);
        return name.toUpperCase();
      }
    }
    const { app, cache, ends } = await service([Cities]);
    const cities = app.get(Cities);
    expect(cities.reads.sort()).toEqual(['oslo', 'rome']);
    expect(cache.peek('city:rome')).toBe('ROME');
    expect(await cities.find('oslo')).toBe('OSLO');
    expect(cities.reads).toHaveLength(2);
    expect(ends).toMatchObject([
      { warmer: 'Cities.find', trigger: 'startup', done: 2, failed: 0, total: 2, state: 'ended' },
    ]);
  });

  it('takes the arguments from the provider, at once, later or one by one', async () => {
    class Base {
      seen: unknown[] = [];
      readonly ids = [1, 2];
    }
    const listsOf = {
      atOnce(this: Base) {
        return this.ids.map((id) => [id]);
      },
      async later(this: Base) {
        return this.ids.map((id) => [id]);
      },
      async *oneByOne(this: Base, { trigger }: WarmContext) {
        for (const id of this.ids) yield [id, trigger];
      },
    };
    @Injectable()
    class Atonce extends Base {
      @TurboCacheWarm({ args: listsOf.atOnce, blocking: true })
      async load(...args: unknown[]): Promise<void> {
        this.seen.push(args);
      }
    }
    @Injectable()
    class Later extends Base {
      @TurboCacheWarm({ args: listsOf.later, blocking: true })
      async load(...args: unknown[]): Promise<void> {
        this.seen.push(args);
      }
    }
    @Injectable()
    class OneByOne extends Base {
      @TurboCacheWarm({ args: listsOf.oneByOne as never, blocking: true })
      async load(...args: unknown[]): Promise<void> {
        this.seen.push(args);
      }
    }
    const { app } = await service([Atonce, Later, OneByOne]);
    expect(app.get(Atonce).seen).toEqual([[1], [2]]);
    expect(app.get(Later).seen).toEqual([[1], [2]]);
    expect(app.get(OneByOne).seen).toEqual([
      [1, 'startup'],
      [2, 'startup'],
    ]);
  });

  it('calls a warmer of its own once, with its context', async () => {
    @Injectable()
    class Warmers {
      context: WarmContext | undefined;
      @TurboCacheWarm({ blocking: true })
      async prices(context: WarmContext): Promise<void> {
        this.context = context;
      }
    }
    const { app } = await service([Warmers]);
    const { context } = app.get(Warmers);
    expect(context).toMatchObject({ trigger: 'startup', signal: { aborted: false } });
    await stop(app);
    expect(context!.signal.aborted).toBe(true);
  });

  it('holds the start if it blocks, and does not otherwise', async () => {
    const [held, loose] = [new Gate(), new Gate()];
    @Injectable()
    class Warmers {
      @TurboCacheWarm({ blocking: true })
      held(): Promise<void> {
        return held.opened;
      }
      @TurboCacheWarm()
      loose(): Promise<void> {
        return loose.opened;
      }
    }
    let started = false;
    const starting = service([Warmers]).then((made) => {
      started = true;
      return made;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(started).toBe(false);
    held.open();
    const { ends } = await starting;
    expect(ends).toMatchObject([{ warmer: 'Warmers.held' }]);
    loose.open();
    await until('the other one ends', () => ends.length === 2);
  });

  it('holds it no longer than its limit', async () => {
    const gate = new Gate();
    @Injectable()
    class Warmers {
      @TurboCacheWarm({ blocking: true, limit: 20 })
      slow(): Promise<void> {
        return gate.opened;
      }
    }
    const { ends } = await service([Warmers]);
    expect(ends).toEqual([]);
    gate.open();
    await until('it ends in the background', () => ends.length === 1);
  });

  it('leaves alone what is there', async () => {
    @Injectable()
    class Cities {
      reads = 0;
      @TurboCacheWarm({ args: [['oslo']], blocking: true })
      @TurboCache({ key: 'city:#{name}', ttl: '1h' })
      async find(name: string): Promise<string> {
        this.reads += 1;
        return name;
      }
    }
    const { app, warming } = await service([Cities]);
    expect(await warming.warm('Cities.find')).toMatchObject([{ done: 1, trigger: 'by hand' }]);
    expect(app.get(Cities).reads).toBe(1);
  });

  it('goes on when a call fails, and reports it', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: [['oslo'], ['nowhere'], ['rome']], blocking: true })
      @TurboCache({ key: 'city:#{name}', ttl: '1h' })
      async find(name: string): Promise<string> {
        if (name === 'nowhere') throw new Error('no such city');
        return name;
      }
    }
    const { cache, ends, failures } = await service([Cities]);
    expect(cache.peek('city:rome')).toBe('rome');
    expect(ends).toMatchObject([{ done: 2, failed: 1, state: 'ended' }]);
    expect(failures).toMatchObject([{ method: 'warming Cities.find', error: { cause: { message: 'no such city' } } }]);
  });

  it('starts the application even if the arguments cannot be had', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: () => Promise.reject(new Error('database away')), blocking: true })
      async find(name: string): Promise<string> {
        return name;
      }
    }
    const { ends, failures } = await service([Cities]);
    expect(ends).toMatchObject([{ done: 0, failed: 1 }]);
    expect(failures[0]!.error.message).toContain('database away');
  });

  it('does nothing when warming is switched off, except by hand', async () => {
    @Injectable()
    class Cities {
      reads = 0;
      @TurboCacheWarm({ on: ['startup', '* * * * * *'], args: [['oslo']] })
      async find(name: string): Promise<string> {
        this.reads += 1;
        return name;
      }
    }
    const { app, warming } = await service([Cities], { enabled: false });
    expect(app.get(Cities).reads).toBe(0);
    await warming.warm();
    expect(app.get(Cities).reads).toBe(1);
    expect(await failure(warming.warm('Cities.fin'))).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'name' });
  });
});

describe('a run', () => {
  it('makes no more calls at the same time than it may', async () => {
    let [running, most] = [0, 0];
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: Array.from({ length: 20 }, (_, i) => [i]), blocking: true, concurrency: 3 })
      async find(_id: number): Promise<void> {
        most = Math.max(most, (running += 1));
        await new Promise((resolve) => setTimeout(resolve, 1));
        running -= 1;
      }
    }
    const { ends } = await service([Cities]);
    expect(most).toBe(3);
    expect(ends).toMatchObject([{ done: 20 }]);
  });

  it.each([
    ['has by default', {}, 16],
    ['gives', { maxConcurrent: 5 }, 5],
  ])('and all others together make no more than the module %s', async (_, options, limit) => {
    let [running, most] = [0, 0];
    const gate = new Gate();
    const warmers = Array.from({ length: 20 }, () => {
      @Injectable()
      class Warmer {
        @TurboCacheWarm({ args: [[1], [2], [3], [4], [5]], blocking: true })
        async fill(_id: number): Promise<void> {
          most = Math.max(most, (running += 1));
          if (running === limit) gate.open();
          await gate.opened;
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
        }
      }
      return Warmer;
    });
    const { ends } = await service(warmers, options);
    expect(most).toBe(limit);
    expect(ends.map(({ done, state }) => `${done} ${state}`)).toEqual(Array(20).fill('5 ended'));
  });

  it('counts what is loaded again until it is stored', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => i);
    let [running, most] = [0, 0];
    @Injectable()
    class Cities {
      loads = 0;
      @TurboCacheWarm({ args: ids.map((id) => [id]), concurrency: 3, renew: 'all' })
      @TurboCache({ key: 'city:#{_id}', ttl: '1h' })
      async find(_id: number): Promise<number> {
        most = Math.max(most, (running += 1));
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return (this.loads += 1);
      }
    }
    const { app, cache, warming } = await service([Cities], { enabled: false });
    const loads = (): Promise<unknown[]> => cache.getMany(ids.map((id) => `city:${id}`));
    await warming.warm();
    // What is a few milliseconds old has no age yet, and is left alone.
    await until('all are loaded again', async () => {
      await warming.warm();
      const stored = (await loads()) as number[];
      expect(Math.max(...stored)).toBe(app.get(Cities).loads);
      return Math.min(...stored) > ids.length;
    });
    expect(most).toBeLessThanOrEqual(3);
  });

  it('makes no more calls a second than it may', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: Array.from({ length: 11 }, (_, i) => [i]), blocking: true, perSecond: 100 })
      async find(_id: number): Promise<void> {}
    }
    const { ends } = await service([Cities], { concurrency: 100 });
    // Ten waits of 10 ms; timers are exact to a millisecond.
    expect(ends[0]!.elapsed).toBeGreaterThanOrEqual(90);
  });

  it('tells its progress after each call', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: [[1], [2], [3]], blocking: true, concurrency: 1 })
      async find(_id: number): Promise<void> {}
    }
    const told: string[] = [];
    await service([Cities], { onProgress: ({ done, total, state }) => void told.push(`${done}/${total} ${state}`) });
    expect(told).toEqual(['1/3 running', '2/3 running', '3/3 running', '3/3 ended']);
  });

  it('tells the same to who listens to its events', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: [['oslo'], ['nowhere']], concurrency: 1 })
      async find(name: string): Promise<void> {
        if (name === 'nowhere') throw new Error('no such city');
      }
    }
    const { warming } = await service([Cities], { enabled: false });
    const told: WarmProgress[] = [];
    warming.on('progress', (progress) => void told.push(progress));
    const ends = await warming.warm();
    const run = { warmer: 'Cities.find', trigger: 'by hand', total: 2, elapsed: expect.any(Number) as number };
    expect(told).toEqual([
      { ...run, done: 1, failed: 0, state: 'running' },
      { ...run, done: 1, failed: 1, state: 'running' },
      { ...run, done: 1, failed: 1, state: 'ended' },
    ]);
    expect(told.at(-1)).toEqual(ends[0]);
  });

  it('writes one line to the log at its end, unless somebody asked to be told', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: [['oslo'], ['rome'], ['nowhere']] })
      async find(name: string): Promise<void> {
        if (name === 'nowhere') throw new Error('no such city');
      }
    }
    const lines: string[] = [];
    const logger = { log: (line: string) => lines.push(line), warn: () => {}, error: () => {} };
    const logged = async (options: TurboCacheWarmingOptions): Promise<string[]> => {
      const testing = Test.createTestingModule({
        imports: [TurboCacheModule.forRoot(), TurboCacheWarmingModule.forRoot({ enabled: false, ...options })],
        providers: [Cities],
      });
      const app = track(await (await testing.setLogger(logger).compile()).init());
      lines.length = 0;
      await app.get(TurboCacheWarming).warm();
      return [...lines];
    };
    expect(await logged({})).toEqual([
      expect.stringMatching(/^Cities\.find \(by hand\): warmed 2 in \d+ ms, 1 failed$/),
    ]);
    expect(await logged({ onProgress: () => {} })).toEqual([]);
  });

  it('is not disturbed by who listens', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: [[1], [2]], blocking: true })
      async find(_id: number): Promise<void> {}
    }
    const { app, warming } = await service([Cities], {
      onProgress: () => {
        throw new Error('listener');
      },
    });
    app.useLogger(false);
    expect(await warming.warm()).toMatchObject([{ done: 2, state: 'ended' }]);
  });

  it('ends when the application ends: no call begins, and those that run are waited for', async () => {
    const calls: string[] = [];
    @Injectable()
    class Cities {
      @TurboCacheWarm({
        *args() {
          for (;;) yield [];
        },
        concurrency: 2,
      })
      async find(): Promise<void> {
        calls.push('began');
        await new Promise((resolve) => setTimeout(resolve, 5));
        calls.push('ended');
      }
    }
    const { app, ends } = await service([Cities]);
    await until('it runs', () => calls.length > 4);
    await stop(app);
    expect(ends).toMatchObject([{ state: 'cancelled' }]);
    const count = calls.length;
    expect(calls.filter((call) => call === 'began')).toHaveLength(count / 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toHaveLength(count);
  });
});

describe('on cron', () => {
  it('loads again what is there, and is listed and ended by the scheduler', async () => {
    @Injectable()
    class Cities {
      reads = 0;
      @TurboCacheWarm({ on: '* * * * * *', args: [['oslo']] })
      @TurboCache({ key: 'city:#{name}', ttl: '1h' })
      async find(name: string): Promise<number> {
        this.reads += 1;
        return name.length + this.reads;
      }
    }
    const { app, cache } = await service([Cities], {}, [ScheduleModule.forRoot()]);
    const scheduler = app.get(SchedulerRegistry);
    expect([...scheduler.getCronJobs().keys()]).toEqual([expect.stringContaining('turbocache:Cities.find')]);
    const cities = app.get(Cities);
    await cities.find('oslo');
    // The scheduler leaves out what it comes to late, on a machine that is busy.
    await until('it was loaded again', () => cities.reads >= 3, 60_000);
    await until('and stored', async () => Number(await cache.get('city:oslo')) >= 4 + 2);
    await stop(app);
    expect(scheduler.getCronJobs().size).toBe(0);
  }, 90_000);

  it('needs the scheduler among the imports, and an expression that can be read', async () => {
    @Injectable()
    class Hourly {
      @TurboCacheWarm({ on: '0 * * * *' })
      async find(): Promise<void> {}
    }
    @Injectable()
    class Never {
      @TurboCacheWarm({ on: '99 * * * *' })
      async find(): Promise<void> {}
    }
    expect(await failure(service([Hourly]))).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'on' });
    const error = await failure(service([Never], {}, [ScheduleModule.forRoot()]));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option: 'on', got: '99 * * * *' });
  });
});

describe('@TurboCacheRefreshAhead', () => {
  it('loads what is asked most again, long before a caller would', async () => {
    @Injectable()
    class Cities {
      loads: string[] = [];
      // A ten-thousandth of an hour: again after 360 ms.
      @TurboCacheRefreshAhead({ keys: 2, ahead: 1e-4, every: 10, sample: 1 })
      @TurboCache({ key: 'city:#{name}', ttl: '1h' })
      async find(name: string): Promise<number> {
        this.loads.push(name);
        return this.loads.length;
      }
    }
    const { app } = await service([Cities]);
    const cities = app.get(Cities);
    const loadsOf = (name: string) => cities.loads.filter((each) => each === name).length;
    await cities.find('nowhere');
    await until('both are loaded again', async () => {
      for (let i = 0; i < 10; i += 1) await Promise.all([cities.find('oslo'), cities.find('rome')]);
      return loadsOf('oslo') > 2 && loadsOf('rome') > 2;
    });
    // With a ttl of an hour nobody else loads twice. The third is not among the two hottest for long.
    expect(loadsOf('nowhere')).toBeLessThan(3);
    expect(await cities.find('oslo')).toBeGreaterThan(1);
  });

  it('leaves alone what is fresh enough', async () => {
    @Injectable()
    class Cities {
      loads = 0;
      @TurboCacheRefreshAhead({ ahead: 0.9, every: 5, sample: 1 })
      @TurboCache({ key: 'city:#{name}', ttl: '1h' })
      async find(name: string): Promise<number> {
        return name.length + (this.loads += 1);
      }
    }
    const looked: number[] = [];
    const { app } = await service([Cities], { onProgress: ({ done }) => void looked.push(done) });
    await until('it has looked', async () => {
      await app.get(Cities).find('oslo');
      return looked.length > 3;
    });
    expect(app.get(Cities).loads).toBe(1);
  });

  it('loads before its hour what the same hour brought on the days before, and survives a restart', async () => {
    const HOUR = 3_600_000;
    let now = Date.UTC(2026, 10, 2, 9);
    @Injectable()
    class Reports {
      loads: string[] = [];
      @TurboCacheRefreshAhead({ every: 5, sample: 1, predict: { lead: '10m', minimum: 4 } })
      @TurboCache({ key: 'report:#{name}', ttl: '1h' })
      async find(name: string): Promise<string> {
        this.loads.push(name);
        return name;
      }
    }
    const adapter = new MemoryAdapter();
    const boot = async () => {
      const app = await start({
        imports: [
          TurboCacheModule.forRoot({ adapter, memory: false, hot: false }),
          TurboCacheWarmingModule.forRoot({ now: () => now, onProgress: () => {} }),
        ],
        providers: [Reports],
      });
      return { app, reports: app.get(Reports), cache: app.get(CacheManager) };
    };
    // Five mornings at nine, and one exception.
    for (let day = 0; day < 5; day += 1, now += 24 * HOUR) {
      const { app, reports } = await boot();
      for (let i = 0; i < 8; i += 1) await reports.find('morning');
      if (day === 2) await reports.find('exception');
      await stop(app);
    }
    // The sixth: nothing at eight, and the report ten minutes before nine.
    now -= HOUR;
    const { app, reports, cache } = await boot();
    await cache.deleteMany(['report:morning', 'report:exception']);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reports.loads).toEqual([]);
    now += HOUR - 10 * 60_000;
    await until('it is loaded', () => reports.loads.length > 0);
    expect(await cache.get('report:morning')).toBe('morning');
    expect(reports.loads).toEqual(['morning']);
    await stop(app);
  });

  it('keeps name and length of the method', () => {
    class Cities {
      @TurboCacheRefreshAhead()
      @TurboCache({ key: 'city:#{name}' })
      async find(name: string): Promise<string> {
        return name;
      }
    }
    expect(Cities.prototype.find.name).toBe('find');
    expect(Cities.prototype.find).toHaveLength(1);
  });
});

describe('in an application of named managers only', () => {
  it('what fails is told to the manager of the cache that is filled', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm({ args: [['nowhere']], blocking: true })
      @TurboCache({ key: 'city:#{name}', cache: 'cities' })
      async find(name: string): Promise<string> {
        throw new Error(`no city ${name}`);
      }
    }
    @Injectable()
    @TurboCacheDefaults({ cache: 'sessions' })
    class Sessions {
      @TurboCacheWarm({ args: () => Promise.reject(new Error('database away')), blocking: true })
      @TurboCache('session:#{id}')
      async find(id: number): Promise<number> {
        return id;
      }
    }
    @Injectable()
    class OfItsOwn {
      @TurboCacheWarm({ blocking: true })
      async fill(): Promise<void> {
        throw new Error('nothing to fill');
      }
    }
    const told: string[] = [];
    const manager = (name: string) =>
      TurboCacheModule.forRoot({
        name,
        onError: ({ message }: TurboCacheError, { method, cache }: CacheFailure) => {
          told.push(`${name}: ${method} in ${cache}: ${message.split(': ').at(-1)}`);
        },
      });
    await start({
      imports: [
        manager('shop'),
        manager('sessions'),
        TurboCacheModule.forFeature(['cities'], { manager: 'shop' }),
        TurboCacheWarmingModule.forRoot({ onProgress: () => {} }),
      ],
      providers: [Cities, Sessions, OfItsOwn],
    });
    expect(told.toSorted()).toEqual([
      'sessions: warming Sessions.find in sessions: database away',
      'shop: warming Cities.find in cities: no city nowhere',
      'shop: warming OfItsOwn.fill in shop: nothing to fill',
    ]);
  });

  it('a history is kept in the manager of the cache that is filled', async () => {
    @Injectable()
    class Reports {
      @TurboCacheRefreshAhead({ every: '1h', sample: 1, predict: true })
      @TurboCache({ key: 'report:#{name}', cache: 'reports' })
      async find(name: string): Promise<string> {
        return name;
      }
    }
    const adapter = new MemoryAdapter();
    const boot = () =>
      start({
        imports: [
          TurboCacheModule.forRoot({ name: 'shop', adapter, memory: false, hot: false }),
          TurboCacheModule.forFeature(['reports'], { manager: 'shop' }),
          TurboCacheWarmingModule.forRoot(),
        ],
        providers: [Reports],
      });
    const first = await boot();
    await first.get(Reports).find('monthly');
    await stop(first);
    const saved = await (await boot()).get<CacheManager>(getCacheToken('shop')).get('~turbocache:history:Reports.find');
    expect(saved).toMatchObject({ version: 1, habits: [{ args: ['monthly'] }] });
  });
});

describe('wrong use', () => {
  class Plain {
    async find(name: string): Promise<string> {
      return name;
    }
  }
  const on = (decorator: MethodDecorator) => () =>
    decorator(Plain.prototype, 'find', Object.getOwnPropertyDescriptor(Plain.prototype, 'find')!);

  it.each<[string, MethodDecorator | (() => MethodDecorator), string | undefined]>([
    ['an option that does not exist', TurboCacheWarm({ arguments: [] } as object), 'arguments'],
    ['a trigger that is none', TurboCacheWarm({ on: 'midnight' }), 'on'],
    ['no trigger', TurboCacheWarm({ on: [] }), 'on'],
    ['arguments that are no lists', TurboCacheWarm({ args: [1] as never }), 'args'],
    ['a concurrency of none', TurboCacheWarm({ concurrency: 0 }), 'concurrency'],
    ['a wrong renew', TurboCacheWarm({ renew: 'some' as never }), 'renew'],
    ['a wrong blocking', TurboCacheWarm({ blocking: 1 as never }), 'blocking'],
    ['refreshing what is not cached', TurboCacheRefreshAhead(), undefined],
  ])('is refused when the class is defined: %s', (_, decorator, option) => {
    const error = errorOf(on(decorator as MethodDecorator));
    expect(error).toBeInstanceOf(DecoratorError);
    expect(error.option).toBe(option);
    expect(error.message).toContain('Plain.find');
  });

  it.each<[string, object]>([
    ['ahead', { ahead: 1 }],
    ['keys', { keys: 0 }],
    ['sample', { sample: 3 }],
    ['every', { every: 0 }],
    ['every', { every: 'often' }],
    ['predict.minimum', { predict: { minimum: 0 } }],
    ['aheed', { aheed: 1 }],
  ])('of refreshing ahead: "%s"', (option, options) => {
    const cached = Object.getOwnPropertyDescriptor(Plain.prototype, 'find')!;
    TurboCache('city:#{name}')(Plain.prototype, 'find', cached as never);
    expect(errorOf(() => TurboCacheRefreshAhead(options)(Plain.prototype, 'find', cached))).toMatchObject({ option });
  });

  it.each<[string, object]>([
    ['concurrency', { concurrency: 0 }],
    ['maxConcurrent', { maxConcurrent: 0 }],
    ['perSecond', { perSecond: 'many' }],
    ['enabled', { enabled: 1 }],
    ['onProgres', { onProgres: () => {} }],
  ])('of the module is refused at boot: "%s"', async (option, options) => {
    expect(await failure(service([], options))).toMatchObject({ code: 'E_TURBOCACHE_OPTION', option });
  });

  it('names the module that is missing', async () => {
    @Injectable()
    class Cities {
      @TurboCacheWarm()
      async find(): Promise<void> {}
    }
    const error = await failure(start({ imports: [TurboCacheModule.forRoot()], providers: [Cities] }));
    expect(String(error)).toContain('TurboCacheWarmingModule');
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])(
    'is refused on a class of scope %s, which has no single instance',
    async (scope) => {
      @Injectable({ scope })
      class Warmed {
        @TurboCacheWarm()
        async find(): Promise<void> {}
      }
      @Injectable({ scope })
      class Refreshed {
        @TurboCacheRefreshAhead()
        @TurboCache('all')
        async find(): Promise<void> {}
      }
      const expected = 'a provider of the default scope';
      for (const [type, decorator] of [
        [Warmed, '@TurboCacheWarm'],
        [Refreshed, '@TurboCacheRefreshAhead'],
      ] as const) {
        expect(await failure(service([type]))).toMatchObject({
          code: 'E_TURBOCACHE_DECORATOR',
          expected,
          details: { decorator, className: type.name, methodName: 'find' },
        });
      }
    },
  );

  it('is refused on a class that a request-scoped one makes request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class User {}
    @Injectable()
    class Refreshed {
      constructor(readonly user: User) {}
      @TurboCacheRefreshAhead()
      @TurboCache('all')
      async find(): Promise<void> {}
    }
    expect(await failure(service([User, Refreshed]))).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR' });
  });
});
