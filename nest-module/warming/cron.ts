/** Cron expressions, by `@nestjs/schedule`: its registry lists the jobs, and ends them with the application. */
import { createRequire } from 'node:module';
import type { ModuleRef } from '@nestjs/core';
import { ConfigurationError } from '../client';
import { loadPeer } from '../peer/load-peer';

interface SchedulerRegistry {
  addCronJob(name: string, job: CronJob): void;
  deleteCronJob(name: string): void;
}
interface CronJob {
  start(): void;
}
interface Schedule {
  readonly SchedulerRegistry: new () => SchedulerRegistry;
}
interface Cron {
  readonly CronJob: new (expression: string, onTick: () => void) => CronJob;
}

const FEATURE = '@TurboCacheWarm with a cron expression';
const PACKAGE = '@nestjs/schedule';

export class CronJobs {
  readonly #names: string[] = [];
  #registry: SchedulerRegistry | undefined;

  constructor(private readonly moduleRef: ModuleRef) {}

  /** The names of jobs are unique in an application. */
  add(name: string, expression: string, onTick: () => void): void {
    const { SchedulerRegistry } = loadPeer<Schedule>({ name: PACKAGE, feature: FEATURE });
    // The library below it, from where it is installed.
    const { CronJob } = createRequire(require.resolve(PACKAGE))('cron') as Cron;
    this.#registry ??= this.#find(SchedulerRegistry);
    const job = jobOf(CronJob, name, expression, onTick);
    this.#registry.addCronJob(name, job);
    this.#names.push(name);
    job.start();
  }

  stop(): void {
    for (const name of this.#names.splice(0)) this.#registry?.deleteCronJob(name);
  }

  #find(token: new () => SchedulerRegistry): SchedulerRegistry {
    try {
      return this.moduleRef.get(token, { strict: false });
    } catch (cause) {
      const expected = 'ScheduleModule.forRoot() among the imports of the application';
      throw new ConfigurationError(
        'E_TURBOCACHE_OPTION',
        `${FEATURE}: this application has no SchedulerRegistry; expected ${expected}.`,
        { option: 'on', expected, cause },
      );
    }
  }
}

function jobOf(Job: Cron['CronJob'], name: string, expression: string, onTick: () => void): CronJob {
  try {
    return new Job(expression, onTick);
  } catch (cause) {
    const expected = "a cron expression such as '0 * * * *'";
    throw new ConfigurationError(
      'E_TURBOCACHE_OPTION',
      `@TurboCacheWarm (${name}): option "on" is "${expression}"; expected ${expected}.`,
      { option: 'on', got: expression, expected, cause },
    );
  }
}
