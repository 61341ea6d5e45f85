import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runFile } from './rig/processes';

// What users install: the packed tarballs in an empty folder outside the repository, without the network.

const run = promisify(execFile);
const repository = fileURLToPath(new URL('..', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'turbocache-consumer-'));
  const tarballs = path.join(folder, 'tarballs');
  const app = path.join(folder, 'app');
  mkdirSync(app);
  await run(process.execPath, [path.join(repository, 'scripts/pack.mjs'), '--out', tarballs]);
  const files = readdirSync(tarballs).map((name) => path.join(tarballs, name));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...files], { cwd: app });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const USE = `
  const manager = new CacheManager({ namespace: 'consumer' });
  await manager.set('answer', { is: 42 });
  console.log(JSON.stringify(await manager.get('answer')));
`;

describe('the packed package', () => {
  it.each([
    [
      'require',
      'cjs',
      `const { CacheManager } = require('turbocache-js'); (async () => { ${USE} await manager.close(); })()`,
    ],
    ['import', 'mjs', `import { CacheManager } from 'turbocache-js'; ${USE} await manager.close();`],
    ['import, without close', 'mjs', `import { CacheManager } from 'turbocache-js'; ${USE}`],
  ])('serves %s, and the process ends by itself', async (name, extension, source) => {
    const script = consumer(`${name.replace(/\W/g, '')}.${extension}`, source);
    expect(await script.line()).toBe('{"is":42}');
    expect(await script.exit()).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('is one instance for require and import', async () => {
    const script = consumer(
      'both.mjs',
      `import { createRequire } from 'node:module';
       import { CacheManager } from 'turbocache-js';
       console.log(createRequire(import.meta.url)('turbocache-js').CacheManager === CacheManager);`,
    );
    expect(await script.line()).toBe('true');
    await script.exit();
  });

  it('brings no dependency but the binary of this host, in its own version', () => {
    const manifest = JSON.parse(read('node_modules/turbocache-js/package.json'));
    const installed = readdirSync(path.join(folder, 'app/node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed).toHaveLength(2);
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('devDependencies');
    expect(manifest).not.toHaveProperty('scripts');
    expect(Object.values(manifest.optionalDependencies)).toEqual([manifest.version]);
    expect(installed).toContain(Object.keys(manifest.optionalDependencies)[0]);
  });

  it('holds what it needs and no source, test or map', () => {
    const files = readdirSync(path.join(folder, 'app/node_modules/turbocache-js'), {
      recursive: true,
      encoding: 'utf8',
    });
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'index.js', 'index.mjs', 'index.d.ts', 'nest.mjs']) {
      expect(files).toContain(name);
    }
    expect(files.filter((name) => /\.map$|\.test\.|(?<!\.d)\.m?ts$|\.rs$|\.node$/.test(name))).toEqual([]);
  });
});

const read = (name: string): string => readFileSync(path.join(folder, 'app', name), 'utf8');

function consumer(name: string, source: string): ReturnType<typeof runFile> {
  const file = path.join(folder, 'app', name);
  writeFileSync(file, source);
  return runFile(file, { cwd: path.dirname(file) });
}
