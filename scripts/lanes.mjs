/**
 * The packed package as users install it: in folders outside the repository, with their Nest, module system, test runner and
 * server.
 *
 *     node scripts/lanes.mjs [tarball folder]      default: pack/, made by `make pack`
 *
 * Each lane type-checks and compiles the application of `__test__/lanes`, runs its tests, and serves it with plain Node. The last line
 * is `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from './host.mjs';

const tarballs = path.resolve(process.argv[2] ?? path.join(ROOT, 'pack'));
const packed = readdirSync(tarballs)
  .filter((name) => name.endsWith('.tgz'))
  .map((name) => path.join(tarballs, name));
const manifest = (folder) => JSON.parse(readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8')).devDependencies;
// The versions that the repository tests with: no lane has its own opinion.
const [root, nest11] = [manifest('.'), manifest('__test__/nest-11')];
const from = (versions, ...names) => names.map((name) => `${name}@${versions[name] ?? root[name]}`);

const SHARED = ['@types/node', 'reflect-metadata', 'rxjs', 'typescript'];
const NEST = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', '@nestjs/platform-fastify'];
const TSCONFIG = {
  target: 'es2023',
  lib: ['es2023', 'dom'],
  module: 'node20',
  types: ['node'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
  outDir: 'dist',
  rootDir: '.',
};

// As many applications of Nest 11 have it; subpaths are found by `typesVersions`.
const COMMONJS = { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' };

const VITEST = `import { defineConfig } from 'vitest/config';
export default defineConfig({ test: { include: ['*.lane.ts'], pool: 'forks', server: { deps: { external: [/\\/dist\\//] } } } });
`;
const FROM_COMPILED = `import { createRequire } from 'node:module';
import type * as app from './app';
export type { Platform } from './app';
export const { boot, Cities, entries } = createRequire(import.meta.url)('./dist/app.js') as typeof app;
`;

const LANES = [
  { name: 'Nest 12, ESM, Vitest', type: 'module', ...vitestOn12(), underTest: `export * from './app';\n` },
  { name: 'Nest 12, CommonJS, Vitest', type: 'commonjs', ...vitestOn12(), underTest: FROM_COMPILED },
  {
    name: 'Nest 11, CommonJS, Jest',
    type: 'commonjs',
    group: 'nest-11',
    compilerOptions: COMMONJS,
    packages: from(nest11, ...NEST, ...SHARED, 'jest', '@jest/globals', 'ts-jest'),
    underTest: `export * from './app';\n`,
    config: {
      'vitest-on-jest.cjs': `module.exports = require('@jest/globals');\n`,
      'jest.config.cjs': `module.exports = {
  testEnvironment: 'node',
  testMatch: ['**/*.lane.ts'],
  moduleNameMapper: { '^vitest$': '<rootDir>/vitest-on-jest.cjs' },
  transform: { '^.+\\\\.ts$': ['ts-jest', { tsconfig: ${JSON.stringify({ ...TSCONFIG, ...COMMONJS, isolatedModules: true })} }] },
};
`,
    },
    run: ['jest/bin/jest.js', '--json', '--outputFile=report.json', '--detectOpenHandles'],
  },
];

function vitestOn12() {
  return {
    group: 'nest-12',
    packages: from(root, ...NEST, ...SHARED, 'vitest', 'vite'),
    config: { 'vitest.config.mjs': VITEST },
    run: ['vitest/vitest.mjs', 'run', '--reporter=json', '--outputFile=report.json'],
  };
}

const workplace = mkdtempSync(path.join(tmpdir(), 'turbocache-lanes-'));
const results = [];
try {
  for (const lane of LANES) results.push(runLane(lane));
} finally {
  rmSync(workplace, { recursive: true, force: true });
}
console.table(results);
const sum = (field) => results.reduce((total, result) => total + result[field], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') === 0 && results.every(({ passed }) => passed > 0) ? 0 : 1;

function runLane({ name, type, group, packages, compilerOptions, underTest, config, run }) {
  const started = performance.now();
  // Lanes of one Nest share their packages, as two services of one repository would.
  const home = path.join(workplace, group);
  const folder = path.join(home, name.replace(/\W+/g, '-').toLowerCase());
  install(home, packages);
  mkdirSync(folder);
  write(folder, 'package.json', JSON.stringify({ name: 'consumer', private: true, type }));
  write(
    folder,
    'tsconfig.json',
    JSON.stringify({ compilerOptions: { ...TSCONFIG, ...compilerOptions }, files: ['app.ts'] }),
  );
  for (const [file, text] of Object.entries(config)) write(folder, file, text);
  for (const file of ['app.ts', 'app.lane.ts']) {
    copyFileSync(path.join(ROOT, '__test__/lanes', file), path.join(folder, file));
  }
  write(folder, 'app-under-test.ts', underTest);

  const checks = [
    check('it compiles', node(folder, home, ['typescript/bin/tsc', '-p', '.'])),
    counted(folder, node(folder, home, run)),
    check('it serves without a test runner', served(folder)),
  ];
  const add = (field) => checks.reduce((total, each) => total + each[field], 0);
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(1));
  return { lane: name, passed: add('passed'), failed: add('failed'), seconds };
}

/** Once a group. The tarballs come first: nothing of the name is looked for elsewhere. */
function install(home, packages) {
  if (!mkdirSync(home, { recursive: true })) return;
  write(home, 'package.json', JSON.stringify({ name: 'consumers', private: true }));
  cpSync(path.join(ROOT, '.npmrc'), path.join(home, '.npmrc'));
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...packed, ...packages];
  const { status, stderr } = spawnSync(npm, flags, { cwd: home, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm could not install the packages\n${stderr}`);
}

function node(folder, home, [script, ...args]) {
  const file = path.join(home, 'node_modules', script);
  return spawnSync(process.execPath, [file, ...args], { cwd: folder, encoding: 'utf8', timeout: 120_000 });
}

function served(folder) {
  const ending = spawnSync(process.execPath, ['dist/app.js', 'serve'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
  });
  const right = ending.stdout === 'express Oslo\nfastify Oslo\n' && ending.stderr === '';
  return { ...ending, status: right ? ending.status : 1 };
}

function check(what, { status, stdout, stderr }) {
  if (status === 0) return { passed: 1, failed: 0 };
  console.error(`not so: ${what}\n${stdout}${stderr}`);
  return { passed: 0, failed: 1 };
}

/** Vitest and Jest write the same report. */
function counted(folder, { status, stdout, stderr }) {
  let report = { numPassedTests: 0, numFailedTests: 1 };
  try {
    report = JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8'));
  } catch {
    // It did not come so far: what it printed says why.
  }
  const failed = report.numFailedTests + (status !== 0 && report.numFailedTests === 0 ? 1 : 0);
  if (failed > 0) console.error(`${stdout}${stderr}${JSON.stringify(report.testResults ?? '', undefined, 1)}`);
  return { passed: report.numPassedTests, failed };
}

function write(folder, name, text) {
  writeFileSync(path.join(folder, name), text);
}
