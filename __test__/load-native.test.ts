import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
// The compiled files: what is tested is how Node itself loads a binary.
import { NativeLoadError } from '../dist/node/client/errors.js';
import { findNative, FUNCTIONS, type Surroundings } from '../dist/node/client/load-native.js';
import { detectHost, elfInterpreter, TARGETS, targetOf } from '../dist/node/client/platform.js';

const LINUX = { platform: 'linux', arch: 'x64', libc: 'glibc' } as const;

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(process.env['TURBOCACHE_TEST_DIR']!, 'native-'));
  writeFileSync(path.join(root, 'package.json'), '{"name":"turbocache-js","version":"1.2.3"}');
});
afterEach(() => rmSync(root, { recursive: true }));

describe('a binary that cannot be loaded', () => {
  it('is reported with host, package, tried places and fixes when nothing is installed', () => {
    const error = failure({});
    expect(error.code).toBe('E_TURBOCACHE_NATIVE');
    expect(error.name).toBe('NativeLoadError');
    expect(error.details).toMatchObject({
      platform: 'linux',
      arch: 'x64',
      libc: 'glibc',
      expectedPackage: 'turbocache-js-linux-x64-gnu',
      attempts: [
        { place: path.join(root, 'turbocache.linux-x64-gnu.node'), problem: 'no such file' },
        {
          place: 'turbocache-js-linux-x64-gnu',
          problem: expect.stringContaining("Cannot find module 'turbocache-js-linux-x64-gnu") as string,
        },
      ],
    });
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.message).toContain('on linux x64 glibc');
    expect(error.message).toContain('--omit=optional');
  });

  it('keeps the words of the dynamic linker when the file is damaged', () => {
    writeFileSync(path.join(root, 'turbocache.linux-x64-gnu.node'), createHash('sha512').update('x').digest());
    const attempts = failure({}).details['attempts'] as { problem: string }[];
    expect(attempts[0]?.problem).toMatch(/invalid ELF header|file too short|not a mach-o|not a valid Win32/i);
  });

  it('names the packages of another host', () => {
    install('turbocache-js-darwin-arm64', '1.2.3', 'module.exports = {}');
    const { message } = failure({});
    expect(message).toContain('Installed for another host: turbocache-js-darwin-arm64');
  });

  it('says that there is no release for an unknown host', () => {
    const error = failure({ host: { platform: 'freebsd', arch: 'riscv64', libc: null } });
    expect(error.message).toContain('There is no release for freebsd-riscv64');
    expect(error.details['libc']).toBeNull();
  });

  it('is refused when its version is not ours', () => {
    install('turbocache-js-linux-x64-gnu', '1.2.2', binding('old'));
    expect(failure({}).message).toContain('version 1.2.2 is installed, 1.2.3 is needed');
  });

  it('is refused when it is something else', () => {
    install('turbocache-js-linux-x64-gnu', '1.2.3', 'module.exports = { open() {} }');
    expect(failure({}).message).toContain('not a turbocache binary of this version: it has no defaultOptions, layout');
  });
});

describe('TURBOCACHE_NATIVE_PATH', () => {
  it('wins over what is installed', () => {
    install('turbocache-js-linux-x64-gnu', '1.2.3', binding('installed'));
    const file = path.join(root, 'mine.cjs');
    writeFileSync(file, binding('mine'));
    expect(find({ env: { TURBOCACHE_NATIVE_PATH: file } }).defaultOptions()).toBe('mine');
    expect(find({ env: { TURBOCACHE_NATIVE_PATH: '' } }).defaultOptions()).toBe('installed');
  });

  it('is the only place that counts, so that a mistake in it is seen', () => {
    install('turbocache-js-linux-x64-gnu', '1.2.3', binding('installed'));
    const error = failure({ env: { TURBOCACHE_NATIVE_PATH: path.join(root, 'absent.node') } });
    expect(error.details['attempts']).toEqual([{ place: path.join(root, 'absent.node'), problem: 'no such file' }]);
    expect(error.message).toContain('correct it, or unset it');
  });
});

describe('the host', () => {
  it('names the package of every released target', () => {
    expect(targetOf({ platform: 'linux', arch: 'arm64', libc: 'musl' })).toBe('linux-arm64-musl');
    expect(targetOf({ platform: 'darwin', arch: 'arm64', libc: null })).toBe('darwin-arm64');
    expect(targetOf({ platform: 'win32', arch: 'x64', libc: null })).toBe('win32-x64-msvc');
    expect(TARGETS).toContain('linux-arm64-musl');
  });

  it('is this one, and the quick look agrees with the report of Node', () => {
    const host = detectHost();
    expect(host).toMatchObject({ platform: process.platform, arch: process.arch });
    const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
    const reported = header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
    expect(host.libc).toBe(process.platform === 'linux' ? reported : null);
  });

  it('reads no dynamic linker from what is not an ELF file', () => {
    expect(elfInterpreter(path.join(root, 'package.json'))).toBeUndefined();
    expect(elfInterpreter(path.join(root, 'absent'))).toBeUndefined();
  });
});

function find(where: Partial<Surroundings>): ReturnType<typeof findNative> {
  return findNative({ env: {}, host: LINUX, root, ...where });
}

function failure(where: Partial<Surroundings>): NativeLoadError {
  try {
    find(where);
  } catch (error) {
    expect(error).toBeInstanceOf(NativeLoadError);
    return error as NativeLoadError;
  }
  throw new Error('it was loaded');
}

function install(name: string, version: string, code: string): void {
  const folder = path.join(root, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version, main: 'main.js' }));
  writeFileSync(path.join(folder, 'main.js'), code);
}

function binding(answer: string): string {
  const functions = Object.keys(FUNCTIONS).map((name) => `${name}: () => '${answer}'`);
  return `module.exports = { ${functions.join(', ')} }`;
}
