/** Types of the litmus suite: what an adapter must offer, what a case is, and what comes out. README.md explains them. */

/** What a case may need. An adapter whose system lacks one says why. */
export type Ability =
  /** `invalidateTag`. */
  | 'tags'
  /** `refresh`. */
  | 'refresh'
  /** `peek` and `received`. */
  | 'peek'
  /** The option `hardTimeout` of `getOrSet`. */
  | 'hardTimeout'
  /** What a process reads from Redis it keeps in memory. Cases are played all the same, without waiting for that. */
  | 'memory'
  /** Messages between processes. */
  | 'bus'
  /** A lease in Redis, so that one process loads for all. */
  | 'lease'
  /** It notices what other clients of Redis write. */
  | 'foreign'
  /** It uses client tracking on the connection on which it reads. */
  | 'tracking';

/** Where a cache is opened: a Redis server behind a proxy of this process alone. */
export interface Place {
  host: string;
  port: number;
  url: string;
  /** Of all processes of one run, and of no other. */
  namespace: string;
  /** Default time to live in milliseconds. */
  ttl: number;
  /** Whether the case uses tags, for systems that must be told. */
  tags: boolean;
}

export interface WriteOptions {
  /** Milliseconds. */
  ttl?: number;
  tags?: string[];
}

export interface LoadOptions extends WriteOptions {
  /** Milliseconds that a caller waits for the loader at most. */
  hardTimeout?: number;
}

/** A cache of memory over Redis, as a process of its own opens it. `undefined` is a miss; `null` too, except in one case. */
export interface OpenCache {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, options?: WriteOptions): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  getOrSet(key: string, loader: () => Promise<unknown>, options?: LoadOptions): Promise<unknown>;
  invalidateTag?(tag: string): Promise<unknown>;
  /** Reads a value that is there such that it is loaded again in the background. */
  refresh?(key: string, loader: () => Promise<unknown>): Promise<unknown>;
  /** A synchronous read. */
  peek?(key: string): unknown;
  /** Messages of other processes that were received so far; synchronous. */
  received?(): number;
  close(): Promise<unknown>;
}

/** The module of an adapter: these are its exports. */
export interface System {
  name: string;
  open(place: Place): Promise<OpenCache>;
  /** npm packages whose versions are printed. */
  packages?: readonly string[];
  /** A reason for each ability that the system lacks: such cases are "not applicable". */
  lacks?: Partial<Record<Ability, string>>;
  /** Its messages carry values, which receivers keep in memory. */
  pushesValues?: boolean;
  /** A loader that asks for the key that it is loading fails at once, without asking anybody. Else it must be answered in time. */
  failsAtOnce?: boolean;
  /** The method of the cache by which a value must be stored that `refresh` is to find. Default: `set`. */
  fillsForRefresh?: string;
}

/** A system and where its module is: other processes import it from there. */
export interface LoadedSystem extends System {
  url: string;
}

/** Starts servers and proxies: `__test__/rig`. */
export interface Rig {
  startRedis(options?: { args?: readonly string[] }): Promise<unknown>;
  startProxy(port: number, options?: { messages?: boolean }): Promise<unknown>;
}

export interface Case {
  name: string;
  title: string;
  /** Of ARCHITECTURE.md. */
  law: number;
  needs?: readonly Ability[];
  /** So many keys are played under one fault. Default: one key, one fault. */
  batch?: number;
}

export interface Verdict {
  state: 'held' | 'violated' | 'not forced' | 'not applicable';
  held: number;
  violated: number;
  /** Attempts in which the schedule did not come about; they count for nothing. */
  unforced: number;
  /** Sentences about the first violations. */
  examples: string[];
  /** Why it is not applicable, or could not be forced. */
  reason?: string;
  seconds: number;
}

/** How much a run does. */
export interface Stage {
  quick: boolean;
  repetitions: number;
  peerRepetitions: number;
  jobs: number;
}

export const cases: readonly Case[];
/** The command that made a whole run. */
export function commandOf(stage: Stage): string;
export function loadSystem(nameOrUrl: string): Promise<LoadedSystem>;
export function runCase(options: {
  litmus: Case;
  system: LoadedSystem;
  rig: Rig;
  repetitions: number;
  /** Seconds after which no further repetition begins. */
  budget?: number;
  quick?: boolean;
}): Promise<Verdict>;
