import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { citiesService } from './cities-service';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Ended {
  code: number;
  output: string;
}

beforeAll(async () => {
  const { code, output } = await run(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, '-p', 'examples/cities'],
    {},
  );
  expect(output).toBe('');
  expect(code).toBe(0);
}, 120_000);

describe('the cities demo', () => {
  it('in memory only: hits come from the hot tier and memory, an update is fresh in the next read', async () => {
    const { code, output } = await demo({ REDIS: '' });
    expect(code, output).toBe(0);
    expect(output).toMatch(/^ {2}query +distinct +first call +hit +faster/m);
    expect(output).toMatch(/^ {2}place by id +100 .* loader 100 +hot 64, memory 36$/m);
    expect(output).toMatch(/^ {2}country statistics +[\d,]+ +[\d,]+ +fresh .* loader 1$/m);
    expect(output).toMatch(/^ {2}\/countries\/\w\w, untouched .* kept .* hot 1$/m);
    expect(output).toMatch(/^5\. 100 callers at once .*: 1 query of the database$/m);
    expect(output).toMatch(/^ {2}again, with If-None-Match +304 HIT +0$/m);
    expect(output).toMatch(/^ {2}GET \/favourites +2 places, still cached +0$/m);
    expect(output).toMatch(/^ {2}GraphQL: 100 places, each with its country +200 +[23]$/m);
    expect(output).toContain('every process of the demo ended by itself');
  }, 120_000);

  it('with Redis: what one process loads is a hit in the other, an update in one is fresh in the other', async () => {
    const { code, output } = await demo({ REDIS: '1' });
    expect(code, output).toBe(0);
    expect(output).toMatch(/^ {2}query +distinct +first in A +by +first in B/m);
    expect(output).toMatch(/^ {2}place by id +100 .* loader 100 .* remote 100 .* hot 100$/m);
    expect(output).toMatch(/^ {2}country statistics +[\d,]+ +[\d,]+ +fresh/m);
    expect(output).toContain('every process of the demo ended by itself');
  }, 120_000);

  it('says how to install Redis when it is missing', async () => {
    const { code, output } = await demo({ REDIS: '1', REDIS_SERVER: `${root}no-such-redis-server` });
    expect(code).toBe(1);
    expect(output).toContain('sudo apt-get install redis-server');
  }, 30_000);
});

describe('the cities service', citiesService);

it('the figures over HTTP: every kind answers the same, and the caches ask the database once for each answer', async () => {
  const args = ['--force', '--rounds', '1', '--requests', '500', '--in-flight', '50', '--places', '1000'];
  const { code, output } = await run(process.execPath, ['benches/nest/run.mjs', ...args], {});
  expect(code, output).toBe(0);
  const different = /500 requests, (\d+) of them different/.exec(output)?.[1];
  expect(output).toMatch(/^ {2}no cache +.* 500 +1\.00 ×/m);
  for (const kind of ['turbocache-js', '@nestjs/cache-manager']) {
    expect(output).toMatch(new RegExp(`^  ${kind}, empty at first .* ${different} +[\\d.]+ ×`, 'm'));
    expect(output).toMatch(new RegExp(`^  ${kind}, all answers cached .* 0 +[\\d.]+ ×`, 'm'));
  }
}, 120_000);

function demo(environment: Record<string, string>): Promise<Ended> {
  return run(process.execPath, ['examples/cities/run.mjs'], { CITIES_LIMIT: '5000', ...environment });
}

function run(command: string, args: string[], environment: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...environment } };
    const child = execFile(command, args, options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}
