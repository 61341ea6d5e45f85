/** The `redis` options. What is said about a URL never contains its password. */
import type { RedisOptions, SentinelOptions } from '../../index';
import { ConfigurationError } from './errors';
import { boolean, checkNames, CONFIGURATION, integer, positiveDuration, refuse, show } from './option-check';

/** Where Redis is: one of the three. */
export type RedisPlace =
  | { readonly url: string }
  | { readonly cluster: readonly string[] }
  | { readonly sentinel: Required<Pick<SentinelOptions, 'name' | 'nodes' | 'database' | 'tls'>> & Login };

interface Login {
  readonly username: string | null;
  readonly password: string | null;
}

export interface RedisSettings {
  /** `null` = no Redis. */
  readonly place: RedisPlace | null;
  readonly connectTimeout: number;
  readonly commandTimeout: number;
  readonly tracking: boolean;
  readonly required: boolean;
}

export interface RedisDefaults extends Omit<RedisSettings, 'place'> {
  readonly sentinel: { readonly database: number; readonly tls: boolean };
}

const PLACES = ['url', 'cluster', 'sentinel'] as const;
const NAMES = [...PLACES, 'required', 'connectTimeout', 'commandTimeout', 'tracking'] as const;
const SENTINEL_NAMES = ['name', 'nodes', 'username', 'password', 'database', 'tls'] as const;
const URL_EXPECTED = 'redis://[user:password@]host[:port][/db], or rediss://… for TLS';
const NODE_EXPECTED = 'redis://[user:password@]host[:port], or rediss://… for TLS';
/** As many as Redis can be told to have. */
const MOST_DATABASES = 2 ** 31 - 1;

export function checkRedis(input: RedisOptions | undefined, defaults: RedisDefaults): RedisSettings {
  if (input === undefined) return { ...timesOf({}, defaults), place: null };
  const given = checkNames<RedisOptions>(CONFIGURATION, 'redis.', input, NAMES);
  return { ...timesOf(given, defaults), place: placeOf(given, defaults.sentinel) };
}

function timesOf(given: Partial<RedisOptions>, defaults: RedisDefaults): Omit<RedisSettings, 'place'> {
  const { connectTimeout, commandTimeout, tracking, required } = given;
  return {
    connectTimeout:
      connectTimeout === undefined
        ? defaults.connectTimeout
        : positiveDuration(CONFIGURATION, 'redis.connectTimeout', connectTimeout),
    commandTimeout:
      commandTimeout === undefined
        ? defaults.commandTimeout
        : positiveDuration(CONFIGURATION, 'redis.commandTimeout', commandTimeout),
    tracking: tracking === undefined ? defaults.tracking : boolean(CONFIGURATION, 'redis.tracking', tracking),
    required: required === undefined ? defaults.required : boolean(CONFIGURATION, 'redis.required', required),
  };
}

function placeOf(given: Partial<RedisOptions>, defaults: RedisDefaults['sentinel']): RedisPlace {
  const [first, second] = PLACES.filter((place) => given[place] !== undefined);
  if (second !== undefined) {
    const got = `redis.${second} beside redis.${first}`;
    throw new ConfigurationError(
      'E_TURBOCACHE_OPTION',
      `The options name Redis twice: ${got}; expected one of redis.url, redis.cluster and redis.sentinel.`,
      { option: `redis.${second}`, got, expected: 'one of redis.url, redis.cluster and redis.sentinel' },
    );
  }
  if (given.cluster !== undefined) return { cluster: checkCluster(given.cluster) };
  if (given.sentinel !== undefined) return { sentinel: checkSentinel(given.sentinel, defaults) };
  return { url: checkUrl('redis.url', given.url, URL_EXPECTED) };
}

function checkCluster(input: unknown): string[] {
  const nodes = checkNodes('redis.cluster', input);
  const [first, ...others] = nodes.map((node) => new URL(node));
  const differs = others.find((other) =>
    (['protocol', 'username', 'password'] as const).some((part) => other[part] !== first![part]),
  );
  if (differs !== undefined) {
    const expected = 'the same scheme, user and password for all nodes';
    refuse(CONFIGURATION, 'redis.cluster', withoutCredentials(differs.href), expected);
  }
  return nodes;
}

function checkSentinel(
  input: unknown,
  defaults: RedisDefaults['sentinel'],
): Extract<RedisPlace, { sentinel: unknown }>['sentinel'] {
  const given = checkNames<SentinelOptions>(CONFIGURATION, 'redis.sentinel.', input, SENTINEL_NAMES);
  const { name, nodes, username, password, database, tls } = given;
  if (typeof name !== 'string' || name === '') {
    refuse(CONFIGURATION, 'redis.sentinel.name', name, 'the name of the master, as in `sentinel monitor <name> …`');
  }
  if (username !== undefined && password === undefined) {
    refuse(CONFIGURATION, 'redis.sentinel.password', password, 'the password of redis.sentinel.username');
  }
  return {
    name,
    nodes: checkNodes('redis.sentinel.nodes', nodes),
    username: username === undefined ? null : text('redis.sentinel.username', username),
    password: password === undefined ? null : text('redis.sentinel.password', password),
    database:
      database === undefined
        ? defaults.database
        : integer(CONFIGURATION, 'redis.sentinel.database', database, 0, MOST_DATABASES),
    tls: tls === undefined ? defaults.tls : boolean(CONFIGURATION, 'redis.sentinel.tls', tls),
  };
}

/** Addresses of several servers, none of which names a database. */
function checkNodes(option: string, input: unknown): string[] {
  if (!Array.isArray(input) || input.length === 0) {
    refuse(CONFIGURATION, option, input, `an array with one address or more: ${NODE_EXPECTED}`);
  }
  return input.map((node: unknown) => {
    const url = checkUrl(option, node, NODE_EXPECTED);
    if (!['', '/', '/0'].includes(new URL(url).pathname)) {
      refuse(CONFIGURATION, option, withoutCredentials(url), `no database in the address: ${NODE_EXPECTED}`);
    }
    return url;
  });
}

/** What is wrong with a password is not shown. */
function text(option: string, input: unknown): string {
  if (typeof input === 'string' && input !== '') return input;
  return refuse(CONFIGURATION, option, typeof input, 'a text that is not empty');
}

function checkUrl(option: string, input: unknown, expected: string): string {
  if (typeof input !== 'string') return refuse(CONFIGURATION, option, input, expected);
  const problem = problemOf(input);
  if (problem === undefined) return input;
  const got = withoutCredentials(input);
  // Without `cause`: the error of `new URL` carries the whole input, password included.
  throw new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `The option ${option} is ${show(got)}: ${problem}; expected ${expected}.`,
    { option, got, expected },
  );
}

function problemOf(input: string): string | undefined {
  let url: URL;
  try {
    url = new URL(input);
  } catch {
    return 'it is no URL';
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') return `the scheme is ${url.protocol}`;
  if (url.hostname === '') return 'it names no host';
  if (!/^\/?\d*$/.test(url.pathname)) return 'what stands behind the host is not the number of a database';
  return undefined;
}

/** A password may itself contain an `@`: everything up to the last one goes. */
function withoutCredentials(url: string): string {
  const at = url.lastIndexOf('@');
  if (at === -1) return url;
  const scheme = /^[a-z][a-z0-9+.-]*:(?:\/\/)?/i.exec(url)?.[0] ?? '';
  return `${scheme}***${url.slice(at)}`;
}
