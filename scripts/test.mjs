/**
 * Runs every test runner, one after another, and adds up what they report. The last line is `N passed, N failed`.
 *
 *     node scripts/test.mjs [runner …]       all without a name
 *
 * A runner that fails without a failed test (it does not compile, it crashes) counts as one failure, and so does one
 * that ran no test at all.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const REPORTS = path.join(ROOT, 'target', 'test-reports');
const MODELS = path.join(ROOT, 'tests', 'models');
const NEST_11 = path.join(ROOT, '__test__', 'nest-11');
const INTEGRATIONS = path.join(ROOT, '__test__', 'integrations');
const bin = (name, folder = ROOT) => path.join(folder, 'node_modules', name);

const RUNNERS = {
  cargo: () => runCargo(['test', '-p', 'turbocache', '--no-fail-fast']),
  models: runModels,
  vitest: () => runVitest('vitest', ['rules', 'package']),
  integrations: runIntegrations,
  'nest-11': runNest11,
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(RUNNERS);
const unknown = names.filter((name) => !(name in RUNNERS));
if (unknown.length > 0) {
  console.error(`no runner ${unknown.join(', ')}; there are ${Object.keys(RUNNERS).join(', ')}`);
  process.exit(2);
}
mkdirSync(REPORTS, { recursive: true });

const results = [];
const failures = [];
for (const name of names) {
  const started = performance.now();
  const outcome = await RUNNERS[name]();
  failures.push(...outcome.failures.map((failure) => `${name}: ${failure}`));
  results.push({
    runner: name,
    ...honest(outcome),
    seconds: Number(((performance.now() - started) / 1_000).toFixed(1)),
  });
}
console.log();
console.table(results);
for (const failure of failures) console.log(`failed: ${failure}`);

const sum = (field) => results.reduce((total, result) => total + result[field], 0);
const line = `${sum('passed')} passed, ${sum('failed')} failed`;
writeFileSync(path.join(REPORTS, 'summary.txt'), `${line}\n`);
console.log(line);
process.exitCode = sum('failed') === 0 ? 0 : 1;

function honest({ passed, failed, skipped, exitCode }) {
  const silent = (exitCode !== 0 && failed === 0) || passed + failed === 0;
  const remark = silent ? (exitCode === 0 ? 'ran no test' : `ended with ${exitCode}`) : '';
  return { passed, failed: silent ? 1 : failed, skipped, remark };
}

/** `cargo test` prints one summary line for each test binary and for the examples in the documentation. */
async function runCargo(args, options = {}) {
  const { exitCode, output } = await run('cargo', args, { ...options, capture: true });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(
    /^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored/gm,
  )) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(ignored);
  }
  const failures = Array.from(output.matchAll(/^test (.*) \.\.\. FAILED$/gm), ([, test]) => test);
  return { ...counts, failures, exitCode };
}

/** What loom tries in every order of threads, what shuttle tries in many, then the same pieces on real threads. */
async function runModels() {
  const options = { cwd: MODELS, env: { ...process.env, CARGO_TARGET_DIR: path.join(ROOT, 'target', 'models') } };
  const all = [];
  for (const features of ['loom', 'shuttle', '']) all.push(await runCargo(['test', '--features', features], options));
  const sum = (field) => all.reduce((total, counts) => total + counts[field], 0);
  const exitCode = all.find((counts) => counts.exitCode !== 0)?.exitCode ?? 0;
  const failures = all.flatMap((counts) => counts.failures);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped'), failures, exitCode };
}

function runVitest(name, projects) {
  const flags = projects.flatMap((project) => ['--project', project]);
  return runWithReport(name, bin('vitest/vitest.mjs'), ['run', ...flags, '--reporter=default', '--reporter=json']);
}

/** With the libraries of `__test__/integrations`, whose types the root does not have. */
async function runIntegrations() {
  const types = await run(process.execPath, [bin('typescript/bin/tsc'), '--noEmit', '-p', INTEGRATIONS]);
  const tests = await runVitest('integrations', ['integrations']);
  return { ...tests, failed: tests.failed + (types.exitCode === 0 ? 0 : 1) };
}

/** The Nest tests again on Nest 11 with Jest, after a type check against Nest 11. */
async function runNest11() {
  await run(process.execPath, [path.join(ROOT, 'scripts', 'install-built.mjs'), NEST_11]);
  const types = await run(process.execPath, [bin('typescript/bin/tsc', NEST_11), '-p', NEST_11]);
  const tests = await runWithReport('nest-11', bin('jest/bin/jest.js', NEST_11), ['--json'], NEST_11);
  return { ...tests, failed: tests.failed + (types.exitCode === 0 ? 0 : 1) };
}

/** Vitest and Jest write the same JSON report. */
async function runWithReport(name, script, args, cwd = ROOT) {
  const report = path.join(REPORTS, `${name}.json`);
  rmSync(report, { force: true });
  const { exitCode } = await run(process.execPath, [script, ...args, `--outputFile=${report}`], { cwd });
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [], exitCode };
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    // A file that could not even be loaded has no failed test in it.
    const brokenFiles = testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
    );
    counts.passed = numPassedTests;
    counts.failed = numFailedTests + brokenFiles.length;
    counts.skipped = numPendingTests + numTodoTests;
    counts.failures = testResults.flatMap(failuresOf);
  } catch (cause) {
    console.error(`${name} left no readable report: ${cause.message}`);
  }
  return counts;
}

/** The failed tests of a file, each with the first line of its error. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = path.relative(ROOT, name);
  const firstLine = (text = '') => text.split('\n', 1)[0];
  if (status === 'failed' && assertionResults.length === 0) return [`${file}: ${firstLine(message)}`];
  return assertionResults
    .filter((test) => test.status === 'failed')
    .map(({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages[0])}`);
}

function run(command, args, { capture = false, cwd = ROOT, env = process.env } = {}) {
  return new Promise((resolve) => {
    const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd, env, stdio });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on('error', (cause) => resolve({ exitCode: cause.message, output }));
    child.on('close', (code, signal) => resolve({ exitCode: code ?? signal, output }));
  });
}
