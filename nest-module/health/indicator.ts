/** `TurboCacheHealthIndicator`: asks the remote tier one question and looks at the counters. */
import { Inject, Injectable } from '@nestjs/common';
import { CacheManager, ConfigurationError } from '../client';
import { CacheRegistry } from '../registry/cache-registry';
import { nearestNames } from '../key/nearest';
import { bytes } from '../units/size';
import { milliseconds } from '../units/duration';
import type { CacheHealth, CacheProblem, TurboCacheHealthOptions, TurboCacheHealthResult } from './health';
import { probe, type Probe } from './probe';
import { knowsDegraded } from './terminus';

const WHERE = 'TurboCacheHealthIndicator.check()';
const OPTIONS = ['manager', 'downWhen', 'maxResponseTime', 'maxMemory'];
const PROBLEMS: readonly CacheProblem[] = ['remote', 'responseTime', 'memory'];

/** Needs `@nestjs/terminus`. A provider of the module whose controller asks it. */
@Injectable()
export class TurboCacheHealthIndicator {
  readonly #degraded = knowsDegraded() ? 'degraded' : 'up';

  constructor(@Inject(CacheRegistry) private readonly registry: CacheRegistry) {}

  /**
   * `() => indicator.check('cache', options)` is an indicator function of terminus.
   *
   * @param key The name under which terminus shows it.
   */
  async check<Key extends string>(
    key: Key,
    options: TurboCacheHealthOptions = {},
  ): Promise<TurboCacheHealthResult<Key>> {
    const limits = checkOptions(options);
    const found = await probe(this.#manager(options.manager));
    const health = judge(found, limits);
    const status = health.state === 'healthy' ? 'up' : health.state === 'down' ? 'down' : this.#degraded;
    return { [key]: { status, ...health } } as TurboCacheHealthResult<Key>;
  }

  #manager(name: string | undefined): CacheManager {
    const cache = this.registry.find(name)?.cache;
    if (cache instanceof CacheManager) return cache;
    const expected = 'TurboCacheModule.forRoot(), or the name of a manager of forRoot({ name })';
    const got = name === undefined ? 'the default manager' : `"${name}"`;
    throw new ConfigurationError(
      'E_TURBOCACHE_OPTION',
      `${WHERE}: option "manager": this application has no manager for ${got}; expected ${expected}.`,
      { option: 'manager', got: name, expected },
    );
  }
}

interface Limits {
  readonly downWhen: ReadonlySet<CacheProblem>;
  readonly maxResponseTime: number;
  readonly maxMemory: number;
}

function judge({ remote, responseTime, memory, closed }: Probe, limits: Limits): CacheHealth {
  const problems: Partial<Record<CacheProblem | 'closed', string>> = {};
  if (closed) problems.closed = 'the manager is closed';
  else if (remote !== 'up' && remote !== 'none')
    problems.remote = 'the remote tier does not answer; memory and loaders serve';
  else if (responseTime > limits.maxResponseTime)
    problems.responseTime = `the remote tier took ${responseTime} ms, the limit is ${limits.maxResponseTime} ms`;
  if (memory > limits.maxMemory) problems.memory = `${memory} bytes are held, the limit is ${limits.maxMemory}`;
  const down = closed || PROBLEMS.some((problem) => problem in problems && limits.downWhen.has(problem));
  const state = down ? 'down' : Object.keys(problems).length > 0 ? 'degraded' : 'healthy';
  return { state, remote, responseTime, memory, problems };
}

function checkOptions(options: TurboCacheHealthOptions): Limits {
  for (const name of Object.keys(options)) if (!OPTIONS.includes(name)) throw wrong(name, 'no such option', OPTIONS);
  const { downWhen = [], maxResponseTime = '250ms', maxMemory } = options;
  for (const problem of downWhen) {
    if (!PROBLEMS.includes(problem)) throw wrong('downWhen', `"${problem}"`, PROBLEMS, problem);
  }
  return {
    downWhen: new Set(downWhen),
    maxResponseTime: milliseconds(maxResponseTime, 'maxResponseTime', WHERE),
    maxMemory: maxMemory === undefined ? Infinity : bytes(maxMemory, 'maxMemory', WHERE),
  };
}

function wrong(option: string, what: string, known: readonly string[], got: unknown = option): ConfigurationError {
  const nearest = nearestNames(String(got), known);
  const expected = `one of ${(nearest.length > 0 ? nearest : known).join(', ')}`;
  return new ConfigurationError('E_TURBOCACHE_OPTION', `${WHERE}: option "${option}": ${what}; expected ${expected}.`, {
    option,
    got,
    expected,
  });
}
