import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type * as Loader from '../../node/client/load-native';
import { NATIVE_ERRORS, type NativeBinding } from '../../node/client/native';

// `native.ts` and the binding are two halves of one contract, in two languages: this compares them by the Rust sources.

const { loadNative } = createRequire(import.meta.url)('../../dist/node/client/load-native.js') as typeof Loader;
const binding = (): NativeBinding => loadNative();

const source = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const rust = Object.fromEntries(
  ['layout', 'requests', 'errors', 'adapter', 'exports'].map((name) => [name, source(`node/binding/src/${name}.rs`)]),
) as Record<'layout' | 'requests' | 'errors' | 'adapter' | 'exports', string>;

/** What stands between the braces of an item. */
function body(text: string, item: string): string {
  const start = text.indexOf(`${item} {`);
  if (start < 0) throw new Error(`there is no ${item}`);
  return text.slice(start, text.indexOf('\n}', start));
}

const pascal = (name: string): string =>
  name.toLowerCase().replace(/(?:^|_)(.)/g, (_, char: string) => char.toUpperCase());

const camel = (name: string): string => pascal(name).replace(/^./, (char) => char.toLowerCase());

/** `pub const SOME_NAME: u32 = 1;` as `{ SomeName: 1 }`. */
const constants = (text: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(/const (\w+): (?:u32|usize) = (\d+);/g)].map(([, name, value]) => [pascal(name!), Number(value)]),
  );

/** `SomeName = 1,` as `{ SomeName: 1 }`. */
const variants = (text: string): Record<string, number> =>
  Object.fromEntries([...text.matchAll(/^\s+(\w+) = (\d+),/gm)].map(([, name, value]) => [name!, Number(value)]));

const native = source('node/client/native.ts');
/** The names and numbers of an enum of `native.ts`: they are gone from what is compiled. */
const members = (name: string): Record<string, number> => variants(body(native, `export const enum ${name}`));

/** The one number that the pattern finds. */
function number(text: string, pattern: RegExp): number {
  const [found, ...more] = [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))];
  if (found?.[1] === undefined || more.length > 0) throw new Error(`${String(pattern)} is not found exactly once`);
  return Number(found[1]);
}

describe('the two halves of the boundary name the same', () => {
  it('words of an answer', () => {
    expect(constants(body(rust.layout, 'pub mod word'))).toEqual(members('Word'));
  });

  it('kinds of a completion, and of a read', () => {
    expect(variants(body(rust.layout, 'pub enum Status'))).toEqual(members('Status'));
    expect(members('Status')).toMatchObject(members('ReadStatus'));
  });

  it('flags of an answer', () => {
    expect(constants(body(rust.layout, 'pub mod flag'))).toEqual(members('Flag'));
  });

  it('requests', () => {
    expect(constants(body(rust.requests, 'mod op'))).toEqual(members('Op'));
    expect(number(rust.requests, /^const REFRESH: u32 = (\d+);/m)).toBe(members('RequestFlag')['Refresh']);
  });

  it('words and numbers of a request', () => {
    const read = body(rust.requests, "fn read(bytes: &[u8]) -> Option<(Request<'_>, &[u8])>");
    expect({
      Op: number(read, /\bop: word\((\d+)\)/),
      RequestId: number(read, /\bid: word\((\d+)\)/),
      NamespaceId: number(read, /\bnamespace: word\((\d+)\)/),
      KeyBytes: number(read, /let \(key, \w+\) = \w+\.split_at_checked\(word\((\d+)\)/),
      ValueBytes: number(read, /let \(value, \w+\) = \w+\.split_at_checked\(word\((\d+)\)/),
      TagBytes: number(read, /let \(tags, \w+\) = \w+\.split_at_checked\(word\((\d+)\)/),
      Flags: number(read, /\bflags: word\((\d+)\)/),
    }).toEqual(members('RequestWord'));
    expect({
      Ttl: number(read, /\bttl: millis\(float\((\d+)\)\)/) / 8,
      Grace: number(read, /\bgrace: millis\(float\((\d+)\)\)/) / 8,
      Lease: number(read, /\blease: LeaseId\(float\((\d+)\)/) / 8,
      MemoryTtl: number(read, /\bmemory_ttl: own_millis\(float\((\d+)\)\)/) / 8,
    }).toEqual(members('RequestFloat'));
  });

  it('items of an adapter’s batch, and their headers', () => {
    const kinds = [...rust.adapter.matchAll(/KeyValueItem::(\w+)\([^)]*\) => \((\d+),/g)];
    expect(Object.fromEntries(kinds.map(([, name, value]) => [name, Number(value)]))).toEqual(members('AdapterItem'));
    const host = source('node/client/adapter-host.ts');
    expect(number(rust.adapter, /const ITEM: usize = (\d+);/)).toBe(number(host, /const ITEM_HEADER = (\d+);/));
    expect(number(rust.adapter, /const REPLY: usize = (\d+);/)).toBe(number(host, /const RESULT_HEADER = (\d+);/));
  });

  it('codes of errors, in the order by which they are indexed', () => {
    const codes = /const CODES: \[&str; \d+\] = \[([^\]]*)\]/.exec(rust.errors)?.[1] ?? '';
    expect([...codes.matchAll(/"(\w+)"/g)].map(([, code]) => code)).toEqual([...NATIVE_ERRORS]);
    // `ErrorKind::KeyTooLong => 2` means E_TURBOCACHE_KEY_TOO_LONG.
    for (const [, kind, index] of body(rust.errors, 'pub fn index(kind: ErrorKind) -> u32').matchAll(
      /ErrorKind::(\w+) => (\d+)/g,
    )) {
      const code = `E_TURBOCACHE_${kind!.replace(/(?<=.)[A-Z]/g, '_$&').toUpperCase()}`;
      expect(NATIVE_ERRORS[Number(index)]).toBe(code);
    }
    const published = source('index.d.ts');
    for (const [code] of rust.errors.matchAll(/E_TURBOCACHE_\w+/g)) expect(published).toContain(`'${code}'`);
  });

  it('functions, each with as many arguments', () => {
    const countNames = (parameters: string): number => [...parameters.matchAll(/\b\w+: /g)].length;
    const exported = [...rust.exports.matchAll(/#\[napi[^\]]*\]\s+pub fn (\w+)(?:<[^>]*>)?\(([^]*?)\) (?:->|\{)/g)];
    const declared = body(native, 'export interface NativeFunctions').matchAll(/^ {2}(\w+)\((.*)\): [^)]*;$/gm);
    const wanted = [...declared].filter(([, name]) => name !== 'layout' && name !== 'defaultOptions');
    // `env` is napi's, not the caller's.
    const counts = exported.map(([, name, parameters]) => [
      camel(name!),
      countNames(parameters!.replace(/\benv: /, '')),
    ]);
    expect(Object.fromEntries(counts)).toEqual(
      Object.fromEntries(wanted.map(([, name, parameters]) => [name, countNames(parameters!)])),
    );
  });
});

describe('the binary speaks the layout', () => {
  it('of its source', () => {
    const { headerBytes, inlineBytes, clock, pulse, mirrorLength } = binding().layout();
    expect(headerBytes).toBe(number(rust.layout, /pub const HEADER: usize = (\d+);/));
    expect(inlineBytes).toBe(32 << 10);
    expect(rust.layout).toContain('pub const INLINE: usize = 32 << 10;');
    expect(clock).toBe(0);
    expect(pulse).toBe(1);
    expect(mirrorLength).toBeGreaterThan(1 << 16);
  });

  it('in which a header holds every word, and floats lie at multiples of eight', () => {
    const { headerBytes } = binding().layout();
    expect(headerBytes % 8).toBe(0);
    expect(headerBytes).toBeGreaterThanOrEqual(4 * (Math.max(...Object.values(members('Word'))) + 1));
    expect(headerBytes).toBeGreaterThanOrEqual(8 * (Math.max(...Object.values(members('RequestFloat'))) + 1));
    expect(members('Word')['Lease']! % 2).toBe(0);
  });

  it('and caps times where the client reads "never"', () => {
    expect(rust.layout).toContain('pub const FAR: i64 = 1 << 30;');
    expect(source('node/client/hot-tier.ts')).toContain('export const NEVER = 2 ** 30;');
  });
});

describe('the binary', () => {
  const buffers = () => {
    const { mirrorLength } = binding().layout();
    return {
      mirror: new Int32Array(new SharedArrayBuffer(4 * mirrorLength)),
      read: new Uint8Array(1 << 16),
      complete: new Uint8Array(1 << 17),
    };
  };
  const options = {
    namespace: null,
    version: null,
    memory: null,
    redis: null,
    adapter: false,
    compression: null,
    maxKeyBytes: 1,
    maxValueBytes: 1,
  };
  const thrownBy = (open: () => unknown): { code: string; facts: Record<string, unknown> } => {
    try {
      open();
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      return { code, facts: JSON.parse(message) as Record<string, unknown> };
    }
    throw new Error('nothing was thrown');
  };

  it.each<[string, unknown, string, object]>([
    ['an option it does not know', { ...options, colour: 'red' }, 'E_TURBOCACHE_OPTION', {}],
    ['an option of a wrong type', { ...options, maxKeyBytes: 'many' }, 'E_TURBOCACHE_OPTION', {}],
    [
      'a memory that is too small',
      { ...options, memory: { maxBytes: 1 } },
      'E_TURBOCACHE_OPTION',
      { option: 'memory.maxBytes', got: '1' },
    ],
    ['a limit of zero', { ...options, maxKeyBytes: 0 }, 'E_TURBOCACHE_OPTION', { option: 'maxKeyBytes', got: '0' }],
  ])('refuses %s with a code, and facts as JSON', (_, wrong, code, facts) => {
    const thrown = thrownBy(() => binding().open(JSON.stringify(wrong), buffers(), () => {}));
    expect(thrown.code).toBe(code);
    expect(thrown.facts).toMatchObject({ message: expect.stringMatching(/./), ...facts });
  });

  it.each<[string, unknown]>([
    ['no JSON at all', 'no JSON'],
    ['an array', '[]'],
  ])('refuses %s as options', (_, text) => {
    expect(thrownBy(() => binding().open(text as string, buffers(), () => {})).code).toBe('E_TURBOCACHE_OPTION');
  });

  it('refuses a mirror that is too short', () => {
    const short = { ...buffers(), mirror: new Int32Array(new SharedArrayBuffer(64)) };
    expect(thrownBy(() => binding().open(JSON.stringify(options), short, () => {})).code).toBe('E_TURBOCACHE_ARGUMENT');
  });

  it('answers requests that are cut off, or of nobody, with an error instead of a crash', () => {
    const session = binding().open(JSON.stringify(options), buffers(), () => {});
    const request = new Uint8Array(64);
    expect(thrownBy(() => session.submit(request, 64, 1)).code).toBe('E_TURBOCACHE_ARGUMENT');
    session.openNamespace('', 0);
    for (const [bytes, count] of [
      [64, 2],
      [8, 1],
      [1_000_000, 1],
    ] as const) {
      expect(thrownBy(() => session.submit(request, bytes, count)).code).toBe('E_TURBOCACHE_ARGUMENT');
    }
    new Int32Array(request.buffer)[members('RequestWord')['KeyBytes']!] = -1;
    expect(thrownBy(() => session.submit(request, 64, 1)).code).toBe('E_TURBOCACHE_ARGUMENT');
    expect(thrownBy(() => session.read(99, 'k')).code).toBe('E_TURBOCACHE_ARGUMENT');
    expect(thrownBy(() => session.takeLarge(99)).code).toBe('E_TURBOCACHE_ARGUMENT');
    session.adapterReply(99, null, null);
    session.end();
    expect(thrownBy(() => session.read(0, 'k')).code).toBe('E_TURBOCACHE_ARGUMENT');
  });
});
