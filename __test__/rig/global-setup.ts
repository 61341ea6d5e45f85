/**
 * Runs once before all test files. Servers that a crashed or killed test file leaves behind are found by their pid files
 * in one folder and are killed at the end.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export default function setUp(): () => void {
  requireRedis();
  const folder = mkdtempSync(path.join(tmpdir(), 'turbocache-test-'));
  process.env['TURBOCACHE_TEST_DIR'] = folder;
  return () => {
    for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.pid'))) {
      kill(Number(readFileSync(path.join(folder, name), 'utf8')));
    }
    rmSync(folder, { recursive: true, force: true });
  };
}

function requireRedis(): void {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
  } catch (cause) {
    throw new Error('The tests need a real redis-server and found none. Run scripts/ensure-redis.sh, or `make test`.', {
      cause,
    });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since: that is what we want.
  }
}
