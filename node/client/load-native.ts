/**
 * Finds and loads the native binary. Three places, in this order: the file that `TURBOCACHE_NATIVE_PATH` names (then only
 * that one counts), a development build beside `package.json`, and the platform package that npm installed.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { NativeLoadError } from './errors';
import { bindSessions } from './bound-session';
import type { NativeBinding, NativeFunctions } from './native';
import { detectHost, TARGETS, targetOf, type Host } from './platform';

/** What the search depends on; a test gives its own. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host: Host;
  /** The folder of our `package.json`. */
  readonly root: string;
}

interface Attempt {
  readonly place: string;
  readonly problem: string;
  readonly cause: unknown;
}

/** Every name of the contract: an older development build is told apart from a damaged one. */
export const FUNCTIONS: Record<keyof NativeFunctions, true> = {
  defaultOptions: true,
  layout: true,
  open: true,
  clashes: true,
  openNamespace: true,
  namespaceIndex: true,
  read: true,
  leaseHere: true,
  submit: true,
  drain: true,
  takeLarge: true,
  adapterReply: true,
  stats: true,
  close: true,
  end: true,
};

let loaded: NativeBinding | undefined;

/** The binding of this isolate. Loaded once; throws a `NativeLoadError` that says what was tried. */
export function loadNative(): NativeBinding {
  loaded ??= findNative({ env: process.env, host: detectHost(), root: path.resolve(__dirname, '../../..') });
  return loaded;
}

export function findNative(where: Surroundings): NativeBinding {
  const target = targetOf(where.host);
  const explicit = where.env['TURBOCACHE_NATIVE_PATH'];
  const require = createRequire(path.join(where.root, 'package.json'));
  const attempts: Attempt[] = [];

  const places = explicit ? [path.resolve(explicit)] : [developmentFile(where.root, target), packageOf(target)];
  for (const place of places) {
    try {
      return bindingFrom(require, place, where.root);
    } catch (cause) {
      attempts.push({ place, problem: firstLine(cause), cause });
    }
  }
  throw failure(where, target, attempts, explicit !== undefined && explicit !== '');
}

const developmentFile = (root: string, target: string): string => path.join(root, `turbocache.${target}.node`);
const packageOf = (target: string): string => `turbocache-js-${target}`;

function bindingFrom(require: NodeJS.Require, place: string, root: string): NativeBinding {
  const isFile = path.isAbsolute(place);
  if (isFile && !existsSync(place)) throw new Error('no such file');
  if (!isFile) checkVersion(require, place, root);
  const exported = require(place) as Partial<Record<string, unknown>>;
  const missing = Object.keys(FUNCTIONS).filter((name) => typeof exported[name] !== 'function');
  if (missing.length > 0) throw new Error(`not a turbocache binary of this version: it has no ${missing.join(', ')}`);
  return bindSessions(exported as unknown as NativeFunctions);
}

/** The binary and this JavaScript share a private contract: another version of it must not even be tried. */
function checkVersion(require: NodeJS.Require, name: string, root: string): void {
  const versionIn = (file: string): string => (require(file) as { version: string }).version;
  const got = versionIn(`${name}/package.json`);
  const expected = versionIn(path.join(root, 'package.json'));
  if (got !== expected) throw new Error(`version ${got} is installed, ${expected} is needed`);
}

function failure(
  where: Surroundings,
  target: string,
  attempts: readonly Attempt[],
  explicit: boolean,
): NativeLoadError {
  const { platform, arch, libc } = where.host;
  const expectedPackage = packageOf(target);
  const host = [platform, arch, ...(libc === null ? [] : [libc])].join(' ');
  const lines = [
    `The native binary of turbocache-js could not be loaded on ${host} (Node ${process.versions.node}).`,
    'Tried:',
    ...attempts.map(({ place, problem }) => `  - ${place}: ${problem}`),
    'What helps:',
    ...fixes(where, target, explicit).map((fix) => `  - ${fix}`),
  ];
  return new NativeLoadError('E_TURBOCACHE_NATIVE', lines.join('\n'), {
    platform,
    arch,
    libc,
    expectedPackage,
    attempts: attempts.map(({ place, problem }) => ({ place, problem })),
    cause: attempts.at(-1)?.cause,
  });
}

function fixes(where: Surroundings, target: string, explicit: boolean): string[] {
  if (explicit)
    return ['TURBOCACHE_NATIVE_PATH names that file: correct it, or unset it to use the installed package.'];
  const build =
    'Build it from the sources: `make build`, then set TURBOCACHE_NATIVE_PATH to the file turbocache.*.node.';
  if (!(TARGETS as readonly string[]).includes(target)) return [`There is no release for ${target}.`, build];

  const foreign = installedTargets(where.root).filter((other) => other !== target);
  const wrongHost = `Installed for another host: ${foreign.map(packageOf).join(', ')}. Do not copy node_modules between systems or images; install on the system that runs the program.`;
  return [
    ...(foreign.length > 0 ? [wrongHost] : []),
    `Install again with optional dependencies (no --omit=optional, no --no-optional): ${packageOf(target)} is one.`,
    'A package-lock.json written on another system can lack it: remove node_modules and package-lock.json, and install again.',
    build,
  ];
}

function installedTargets(root: string): string[] {
  const require = createRequire(path.join(root, 'package.json'));
  return TARGETS.filter((target) => {
    try {
      return require.resolve(`${packageOf(target)}/package.json`) !== '';
    } catch {
      return false;
    }
  });
}

function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split('\n', 1)[0] ?? '';
}
