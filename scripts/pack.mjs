/**
 * Makes the tarballs: the root package and the platform package of this host.
 *
 *     node scripts/pack.mjs [--out folder] [--release]
 *
 * The repository's package.json names no platform package, so that `npm ci` works before any was published. They are
 * written in here: all of them with `--release`, else only this host's, so that both tarballs install together offline.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, TARGET, TARGETS } from './host.mjs';
import { makePlatformPackage } from './platform-package.mjs';

const { values: options } = parseArgs({ options: { out: { type: 'string' }, release: { type: 'boolean' } } });
const out = path.resolve(options.out ?? path.join(ROOT, 'pack'));
const staging = mkdtempSync(path.join(tmpdir(), 'turbocache-pack-'));

try {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  stageRootPackage();
  for (const folder of [staging, makePlatformPackage()]) pack(folder);
} finally {
  rmSync(staging, { recursive: true, force: true });
}

function stageRootPackage() {
  const source = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  for (const name of [...source.files, 'README.md', 'LICENSE']) {
    if (name === 'dist') continue;
    cpSync(path.join(ROOT, name), path.join(staging, name), { recursive: true });
  }
  // Compiled afresh: `dist` may hold files whose source is gone. Maps would point to sources that are not packed.
  const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['-p', ROOT, '--outDir', path.join(staging, 'dist'), '--sourceMap', 'false'];
  execFileSync(process.execPath, [tsc, ...flags], { stdio: 'inherit' });
  writeFileSync(path.join(staging, 'package.json'), `${JSON.stringify(publishedManifest(source), null, 2)}\n`);
}

/** What users get: without our tools and scripts, with the platform packages in exactly this version. */
function publishedManifest({ devDependencies: _tools, scripts: _scripts, 'lint-staged': _hooks, ...manifest }) {
  const targets = options.release ? TARGETS : [TARGET];
  const optionalDependencies = Object.fromEntries(
    targets.map((target) => [`turbocache-js-${target}`, manifest.version]),
  );
  return { ...manifest, optionalDependencies };
}

function pack(folder) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['pack', folder, '--pack-destination', out, '--ignore-scripts', '--json', '--loglevel=error'];
  const [{ filename, size }] = JSON.parse(execFileSync(npm, flags, { cwd: staging, encoding: 'utf8' }));
  console.log(`${path.relative(process.cwd(), path.join(out, filename))}  ${(size / 1_024).toFixed(0)} kB`);
}
