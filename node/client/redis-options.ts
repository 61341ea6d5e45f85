/** The `redis` options. What is said about a URL never contains its password. */
import type { RedisOptions } from '../../index';
import { ConfigurationError, UnsupportedError } from './errors';
import { boolean, checkNames, CONFIGURATION, positiveDuration, refuse, show } from './option-check';

export interface RedisSettings {
  /** `null` = no Redis. */
  readonly url: string | null;
  readonly connectTimeout: number;
  readonly commandTimeout: number;
  readonly required: boolean;
}

const NAMES = ['url', 'cluster', 'sentinel', 'required', 'connectTimeout', 'commandTimeout'] as const;
const URL_EXPECTED = 'redis://[user:password@]host[:port][/db], or rediss://… for TLS';

export function checkRedis(input: RedisOptions | undefined, defaults: Omit<RedisSettings, 'url'>): RedisSettings {
  if (input === undefined) return { ...defaults, url: null };
  const given = checkNames<RedisOptions>(CONFIGURATION, 'redis.', input, NAMES);
  for (const name of ['cluster', 'sentinel'] as const) {
    if (given[name] !== undefined) throw unsupported(`redis.${name}`);
  }
  return {
    url: checkUrl(given.url),
    connectTimeout:
      given.connectTimeout === undefined
        ? defaults.connectTimeout
        : positiveDuration(CONFIGURATION, 'redis.connectTimeout', given.connectTimeout),
    commandTimeout:
      given.commandTimeout === undefined
        ? defaults.commandTimeout
        : positiveDuration(CONFIGURATION, 'redis.commandTimeout', given.commandTimeout),
    required:
      given.required === undefined ? defaults.required : boolean(CONFIGURATION, 'redis.required', given.required),
  };
}

function unsupported(option: string): UnsupportedError {
  const message = `The option ${option} is not yet supported; expected redis.url.`;
  return new UnsupportedError('E_TURBOCACHE_UNSUPPORTED', message, { option, expected: 'redis.url' });
}

function checkUrl(input: unknown): string {
  if (typeof input !== 'string') return refuse(CONFIGURATION, 'redis.url', input, URL_EXPECTED);
  const problem = problemOf(input);
  if (problem === undefined) return input;
  const got = withoutCredentials(input);
  // Without `cause`: the error of `new URL` carries the whole input, password included.
  throw new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `The option redis.url is ${show(got)}: ${problem}; expected ${URL_EXPECTED}.`,
    {
      option: 'redis.url',
      got,
      expected: URL_EXPECTED,
    },
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
