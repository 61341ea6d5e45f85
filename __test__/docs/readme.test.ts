/** What README.md and docs/ say is compiled, run and compared with the code. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CacheManager } from 'turbocache-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binding } from '../../dist/node/client/binding-source';
import { freePort } from '../rig/port';
import { runFile, type Script } from '../rig/processes';
import { startRedis, type RedisServer } from '../rig/redis';
import { anchorsOf, codeBlocks, localLinks, markedBlock, markedTable, pages, root, textOf } from './pages';
import { errorCodes, publicOptions } from './public-types';
import { compile } from './snippets';

const PAGES = pages().filter((page) => page === 'README.md' || page.startsWith('docs/'));

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
});

describe('TypeScript in the pages', () => {
  it('compiles against the package', () => {
    const snippets = PAGES.flatMap(codeBlocks).filter(({ language }) => language === 'ts' || language === 'typescript');
    expect(snippets.length).toBeGreaterThan(10);
    expect(compile('docs-snippets', snippets).errors).toEqual([]);
  }, 60_000);
});

describe('the TypeScript quick start', () => {
  const { code, place } = markedBlock('README.md', 'run: typescript');
  const PRINTED = ['loading 1', "{ id: 1, name: 'user 1' }", 'true', 'undefined', 'loading 1'];

  it.each([
    ['in memory', () => code, (lines: string[]) => lines],
    ['with the line about Redis', () => withRedis(code, /\/\/ (redis: .*)/), withoutRepetition],
  ])(
    '%s prints what it says, and exits by itself',
    async (_, source, told) => {
      const { files, errors } = compile('docs-typescript', [{ place, code: source() }]);
      expect(errors).toEqual([]);
      const program = runFile(files[0]!);
      const ending = await program.exit();
      const lines = told(await linesOf(program));
      expect({ lines, code: ending.code, stderr: ending.stderr }).toEqual({ lines: PRINTED, code: 0, stderr: '' });
    },
    40_000,
  );
});

/** A cache that just begins to hear what others invalidate believes nothing that was captured before: it may load once more (law 4). */
function withoutRepetition(lines: string[]): string[] {
  return lines.filter((line, index) => line !== lines[index - 1]);
}

describe('the NestJS quick start', () => {
  const { code, place } = markedBlock('README.md', 'run: nest');

  it.each([
    ['in memory', () => code],
    [
      'with the line about Redis',
      () => withRedis(code, /\/\/ With Redis: (forRoot.*)\n.*?forRoot.*?(?=\],\n)/s, 'nest'),
    ],
  ])(
    '%s reads once, and is fresh after a change',
    async (_, source) => {
      const { files, errors } = compile('docs-nest', [{ place, code: source() }]);
      expect(errors).toEqual([]);
      const port = await freePort();
      const service = runFile(files[0]!, { env: { PORT: String(port) } });
      const user = `http://localhost:${port}/users/1`;
      try {
        expect(await readWhenUp(user)).toEqual({ id: '1', name: 'Ada' });
        expect(await read(user)).toEqual({ id: '1', name: 'Ada' });
        // As `curl -d name=Grace` sends it.
        const changed = await fetch(user, { method: 'PATCH', body: new URLSearchParams({ name: 'Grace' }) });
        expect(changed.ok).toBe(true);
        expect(await read(user)).toEqual({ id: '1', name: 'Grace' });
      } finally {
        service.kill('SIGTERM');
      }
      await service.exit(5_000);
      const reads = (await linesOf(service)).filter((line) => line.startsWith('reading user 1'));
      expect(reads).toHaveLength(2);
    },
    60_000,
  );
});

describe('the table of options', () => {
  const rows = markedTable('README.md', 'options').map(([name = '', value = '']) => ({
    name: withoutTicks(name),
    default: value.startsWith('`') ? withoutTicks(value) : undefined,
  }));
  const defaults = flat(JSON.parse(binding().defaultOptions()) as Record<string, unknown>);

  it('names every option of index.d.ts, and no other', () => {
    expect(rows.map(({ name }) => name).sort()).toEqual(
      publicOptions()
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each([
    ['README.md', rows],
    ['index.d.ts', publicOptions()],
  ])('of %s shows the defaults of the engine', (_, options) => {
    const shown = options.flatMap(({ name, default: text }) => (text === undefined ? [] : [[name, valueOf(text)]]));
    expect(Object.fromEntries(shown)).toEqual(defaults);
  });
});

describe('docs/errors.md', () => {
  it('has a section for each code of index.d.ts, in its order', () => {
    const sections = [...textOf('docs/errors.md').matchAll(/^## (.+)$/gm)].map(([, code]) => code);
    expect(sections).toEqual(errorCodes());
  });
});

describe('the specification of the envelope', () => {
  it('shows the bytes of a fixture', () => {
    const fixture = 'fixtures/envelope/v1/plain.bin';
    const shown = markedBlock('docs/spec/envelope.md', `bytes: ${fixture}`).code.trim().split(/\s+/);
    const bytes = [...readFileSync(path.join(root, fixture))].map((byte) => byte.toString(16).padStart(2, '0'));
    expect(shown).toEqual(bytes);
  });
});

describe('the permissions in docs/guides/redis.md', () => {
  it('are enough for everything a cache does', async () => {
    const rules = markedBlock('docs/guides/redis.md', 'acl').code.trim().split(/\s+/);
    expect(await redis.cli(...rules)).toBe('OK');
    const url = redis.url.replace('redis://', 'redis://app:secret@');
    // A busy machine may be late: an error shall be a refusal, and no deadline.
    const patient = { url, connectTimeout: '10s', commandTimeout: '10s' } as const;
    const [writer, reader] = [0, 1].map(() => new CacheManager({ namespace: 'shop', version: 'acl', redis: patient }));
    for (const manager of [writer!, reader!]) await manager.ready();
    await everythingWith(writer!);
    await writer!.set('seen', 1);
    expect(await reader!.get('seen')).toBe(1);
    expect([writer!, reader!].map((manager) => manager.stats().remote.errors)).toEqual([0, 0]);
    const denied = (await redis.cli('ACL', 'LOG')) as unknown[];
    expect(denied.map(String).filter((entry) => !entry.includes('client|setinfo'))).toEqual([]);
    await Promise.all([writer!.close(), reader!.close()]);
  });
});

describe('the pages', () => {
  it.each(pages())('%s links to what exists', (page) => {
    const broken = localLinks(page).filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : path.posix.join(path.posix.dirname(page), file);
      if (!existsSync(path.join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('name only tests and sources that exist', () => {
    const named = [...textOf('ARCHITECTURE.md').matchAll(/`((?:src|tests|__test__|node|nest-module)\/[\w./-]+)`/g)];
    expect(named.length).toBeGreaterThan(10);
    expect(named.map(([, file = '']) => file).filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });
});

/** Every command and script of the Redis tier at least once. */
async function everythingWith(cache: CacheManager): Promise<void> {
  await cache.set('a', 1, { grace: '1m', tags: ['t'] });
  await cache.set('forever', 1, { ttl: null });
  await cache.getOrSet('loaded', () => 1);
  await cache.getOrSet('refused', () => undefined);
  await cache.getOrSet('slow', () => new Promise((resolve) => setTimeout(() => resolve(1), 1_500)));
  await cache.expire('a');
  await cache.delete('loaded');
  await cache.invalidateTags(['t']);
  await cache.deletePattern('a*');
  for (let n = 0; n < 40; n++) await cache.invalidateTags(['t', `u${n}`], { mode: 'all', soft: true });
  await cache.clear({ soft: true });
  await cache.cache('users').clear();
  await cache.clear();
  await cache.getMany(['a', 'b']);
  const lock = await cache.lock('job', { ttl: '5s' });
  // Renewed a few times.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  expect(await lock.release()).toBe(true);
}

/** The snippet with what its comment says about Redis, on the test's server. */
function withRedis(code: string, comment: RegExp, kind: 'plain' | 'nest' = 'plain'): string {
  const changed = code.replace(comment, (_, text: string) =>
    kind === 'nest' ? `imports: [TurboCacheModule.${text}` : text,
  );
  const connected = changed.replace('redis://127.0.0.1:6379', redis.url);
  expect(connected).not.toBe(code);
  expect(connected).toContain(`redis: { url: '${redis.url}' }`);
  return connected;
}

async function read(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

/** Asks until the service listens. */
async function readWhenUp(url: string): Promise<unknown> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      return await read(url);
    } catch (cause) {
      if (performance.now() > deadline) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** What a process that has ended printed and nobody has read. */
async function linesOf(ended: Script): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const line = await ended.line().catch(() => undefined);
    if (line === undefined) return lines;
    lines.push(line);
  }
}

/** `{ memory: { maxBytes } }` as `memory.maxBytes`. */
function flat(options: Record<string, unknown>, prefix = ''): Record<string, unknown> {
  const entries = Object.entries(options).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? Object.entries(flat(value as Record<string, unknown>, `${prefix}${name}.`))
      : [[prefix + name, value] as const],
  );
  return Object.fromEntries(entries);
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, b: 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30,
}; // prettier-ignore

/** A default as it is written in TypeScript, in the engine's units. */
function valueOf(text: string): unknown {
  const quoted = /^'(.*)'$/.exec(text)?.[1];
  if (quoted === undefined) return JSON.parse(text.replaceAll('_', ''));
  const [, number, unit = ''] = /^(\d+)([a-z]+)$/.exec(quoted) ?? [];
  return number === undefined ? quoted : Number(number) * UNITS[unit]!;
}

function withoutTicks(cell: string): string {
  return cell.replaceAll('`', '');
}
