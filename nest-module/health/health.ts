/** What is looked at, and what the answer says. */
import type { CacheStats } from '../client';

/**
 * - `remote`: the remote tier (Redis, an adapter) does not answer; memory and loaders serve.
 * - `responseTime`: it answers later than `maxResponseTime`.
 * - `memory`: memory and hot tier hold more than `maxMemory`.
 */
export type CacheProblem = 'remote' | 'responseTime' | 'memory';

export interface TurboCacheHealthOptions {
  /** Name of a manager (`forRoot({ name })`). @default the default manager */
  manager?: string;
  /** Problems that make the indicator `down`. Any other one makes it `degraded`: the service still answers. @default [] */
  downWhen?: readonly CacheProblem[];
  /** Longest time for one question to the remote tier: milliseconds, or a text such as `'100ms'`. @default '250ms' */
  maxResponseTime?: number | string;
  /** Most bytes in memory and hot tier together: a number, or a text such as `'96mb'`. @default no limit */
  maxMemory?: number | string;
}

/** The detail that terminus shows. */
export interface CacheHealth {
  /** `degraded`: it serves, but not as it should; `problems` says why. */
  readonly state: 'healthy' | 'degraded' | 'down';
  readonly remote: CacheStats['remote']['state'];
  /** Milliseconds of one question to the remote tier; 0 without one. */
  readonly responseTime: number;
  /** Bytes in the memory tier and in the hot tier of this isolate. */
  readonly memory: number;
  /** One sentence for each problem, by its name. */
  readonly problems: Readonly<Partial<Record<CacheProblem | 'closed', string>>>;
}

/**
 * What terminus gets. `status` is `degraded` for a degraded cache where terminus knows that word (12.1 and later), else
 * `up` with `state: 'degraded'`; the type is the one that all versions accept.
 */
export type TurboCacheHealthResult<Key extends string = string> = Record<
  Key,
  { readonly status: 'up' | 'down' } & CacheHealth
>;
