/** What users of Jest see when an application ends: nothing that keeps the process open. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../..', import.meta.url));
const nest11 = path.join(repository, '__test__/nest-11');

it('`jest --detectOpenHandles` finds none behind applications with a server, Redis, cron jobs, channels and streams', async () => {
  await run(process.execPath, [path.join(repository, 'scripts/install-built.mjs'), nest11]);
  const jest = path.join(nest11, 'node_modules/jest/bin/jest.js');
  const tests = ['package-face', 'redis', 'shutdown', 'warming', 'channels', 'streams'].map(
    (name) => `/${name}.test.ts`,
  );
  // It exits by itself, or it is ended and this test fails: what no test file began itself, Jest does not name.
  const { stderr } = await run(process.execPath, [jest, '--detectOpenHandles', '--silent', ...tests], {
    cwd: nest11,
    timeout: 100_000,
  });
  expect(stderr).toContain(`Test Suites: ${tests.length} passed, ${tests.length} total`);
  expect(stderr).not.toMatch(/open handle|did not exit/i);
}, 120_000);
