/** Optional peers: packages that one feature needs and the rest does not. They are loaded when the feature is used. */
import { ConfigurationError } from '../client';

export interface Peer {
  /** The package, as it is installed: `@nestjs/schedule`. */
  readonly name: string;
  /** What needs it, for the message: `@TurboCacheWarm({ cron })`. */
  readonly feature: string;
  /** What to install, where more is needed. @default the package */
  readonly install?: string;
  /** What to do without it, if there is a way: `leave "cron" out`. */
  readonly otherwise?: string;
}

/** The package's exports. A missing package is an error that names it and what to do; its own errors stay what they are. */
export function loadPeer<T>(peer: Peer, load: (name: string) => unknown = loadPackage): T {
  try {
    return load(peer.name) as T;
  } catch (cause) {
    if (!isMissing(cause, peer.name)) throw cause;
    throw missingPeer(peer, cause);
  }
}

function loadPackage(name: string): unknown {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- at the first use, from where this package is installed
  return require(name);
}

/** Only the package itself: one that is there, but misses a package of its own, has another problem. */
function isMissing(cause: unknown, name: string): boolean {
  if (!(cause instanceof Error) && typeof cause !== 'object') return false;
  const { code, message = '' } = cause as { code?: unknown; message?: string };
  return code === 'MODULE_NOT_FOUND' && message.includes(`'${name}'`);
}

function missingPeer({ name, feature, install = name, otherwise }: Peer, cause: unknown): ConfigurationError {
  const expected = `\`npm install ${install}\`${otherwise === undefined ? '' : `, or ${otherwise}`}`;
  return new ConfigurationError(
    'E_TURBOCACHE_PEER',
    `${feature} needs the package "${name}", which is not installed; expected ${expected}.`,
    { option: feature, got: undefined, expected, package: name, cause },
  );
}
