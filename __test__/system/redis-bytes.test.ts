import { createHash, randomUUID } from 'node:crypto';
import { CacheManager } from 'turbocache-js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CacheManagerOptions } from '../../index';
import { startRedis, type RedisServer } from '../rig/redis';
import { hears, Process, until, within } from './elsewhere';

// What is stored in Redis, and what is done about bytes there that are not ours.

let redis: RedisServer;
let speaker: Process;
beforeAll(async () => {
  redis = await startRedis();
  speaker = new Process();
});
afterAll(async () => {
  await speaker.end();
  await redis.stop();
});

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A manager whose every read asks Redis. */
async function remoteOnly(options: CacheManagerOptions = {}): Promise<CacheManager> {
  const shared = { namespace: randomUUID(), redis: { url: redis.url, commandTimeout: '10s' as const } };
  const manager = new CacheManager({ ...shared, memory: false, hot: false, ...options });
  open.push(() => manager.close());
  const { namespace = shared.namespace } = options;
  await hears(manager, speaker, { ...shared, namespace });
  return manager;
}

/** The same namespace in another process, memory and hot tier included. */
async function elsewhere(manager: CacheManager): Promise<Process> {
  const process = new Process({ namespace: manager.namespacePath, redis: { url: redis.url, commandTimeout: '10s' } });
  open.push(() => process.end());
  await until('the other process hears us', async () => {
    await manager.delete('is anybody there');
    return process.run(({ manager }) => manager.stats().invalidations.received > 0);
  });
  return process;
}

const nameOf = (manager: CacheManager, key: string): string => `tc:{${manager.namespacePath}:${key}}:v`;
/** As it lies there. */
const stored = async (manager: CacheManager, key: string): Promise<Buffer> =>
  Buffer.from((await redis.cli('GET', nameOf(manager, key))) as string, 'latin1');
const plant = (manager: CacheManager, key: string, bytes: Buffer): Promise<unknown> =>
  redis.cli('SET', nameOf(manager, key), bytes, 'PX', 60_000);

describe('what is asked in one turn of a manager that keeps nothing', () => {
  it('is answered in the order in which it was asked, whatever stands between', async () => {
    const manager = await remoteOnly();
    const other = manager.namespace('other');
    await manager.setMany<number | string>([
      { key: 'a', value: 1 },
      { key: 'b', value: 1 },
    ]);
    const answers = await Promise.all([
      manager.get('a'),
      manager.get('b'),
      other.get('a'),
      manager.set('a', 2),
      manager.get('a'),
      other.set('a', 3),
      manager.getMany(['a', 'b']),
      other.get('a'),
      manager.delete('b'),
      manager.get('b'),
    ]);
    expect(answers).toEqual([1, 1, undefined, undefined, 2, undefined, [2, 1], 3, true, undefined]);
  });
});

describe('bytes in Redis that are', () => {
  const flip = (at: (bytes: Buffer) => number) => (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    copy[at(copy)]! ^= 1;
    return copy;
  };
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['of another program', () => Buffer.from('{"value":"old","ttl":1}')],
    ['random', () => createHash('sha512').update('noise').digest()],
    ['zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['cut off in the header', (bytes) => bytes.subarray(0, 40)],
    ['cut off in the value', (bytes) => bytes.subarray(0, -9)],
    ['longer than they should be', (bytes) => Buffer.concat([bytes, Buffer.from('!')])],
    ['damaged in the magic', flip(() => 0)],
    ['damaged in the header', flip(() => 45)],
    ['damaged in the value', flip((bytes) => bytes.length - 12)],
    ['damaged in the checksum', flip((bytes) => bytes.length - 1)],
    ['twice the envelope', (bytes) => Buffer.concat([bytes, bytes])],
  ];

  it.each(damages)('%s are a counted miss, and the next load repairs them', async (_, damage) => {
    const manager = await remoteOnly();
    await manager.set('k', { secret: 'value' });
    await plant(manager, 'k', damage(await stored(manager, 'k')));
    expect(await manager.get('k')).toBeUndefined();
    expect(manager.stats().remote).toMatchObject({ rejected: 1, errors: 0, state: 'up' });
    expect(await manager.has('k')).toBe(false);
    expect(await manager.getEntry('k')).toBeUndefined();
    expect(manager.stats().remote.rejected).toBe(3);
    expect(await manager.getOrSet('k', () => 'repaired')).toBe('repaired');
    const other = await elsewhere(manager);
    expect(await other.run(({ manager }) => manager.getOrSet('k', () => 'loaded again'))).toBe('repaired');
  });

  it('one of many that are read together cost that one alone', async () => {
    const manager = await remoteOnly();
    const large = 'x'.repeat(100_000);
    await manager.setMany<number | string>([
      { key: 'a', value: 1 },
      { key: 'damaged', value: 2 },
      { key: 'large', value: large },
      { key: 'tagged', value: 4, tags: ['t'] },
      { key: 'z', value: 5 },
    ]);
    await plant(manager, 'damaged', Buffer.from('noise'));
    const found = await manager.getMany(['z', 'damaged', 'large', 'absent', 'tagged', 'a', 'z']);
    expect(found).toEqual([5, undefined, large, undefined, 4, 1, 5]);
    expect(manager.stats().remote).toMatchObject({ hits: 5, misses: 2, rejected: 1, errors: 0 });
  });

  it('the value of another key are a counted miss', async () => {
    const manager = await remoteOnly();
    await manager.setMany([{ key: 'mine', value: 'mine' }, { key: 'yours', value: 'yours' }]); // prettier-ignore
    await plant(manager, 'mine', await stored(manager, 'yours'));
    expect(await manager.getMany(['mine', 'yours'])).toEqual([undefined, 'yours']);
    expect(manager.stats().remote.rejected).toBe(1);
  });

  it('the value of the same key of another namespace are a counted miss', async () => {
    const [mine, yours] = [await remoteOnly(), await remoteOnly()];
    await yours.set('k', 'yours');
    await plant(mine, 'k', await stored(yours, 'k'));
    expect(await mine.get('k')).toBeUndefined();
    expect(mine.stats().remote.rejected).toBe(1);
  });

  it('in another encoding are a counted miss', async () => {
    const namespace = randomUUID();
    const theirs = { id: 200, name: 'theirs', serialize: () => '[]', deserialize: () => 'theirs' };
    await (await remoteOnly({ namespace, serializer: theirs })).set('k', 1);
    const manager = await elsewhere(await remoteOnly({ namespace }));
    const answer = await manager.run(async ({ manager }) => [await manager.get('k'), manager.stats().remote.rejected]);
    expect(answer).toEqual([undefined, 1]);
  });

  it('not what the encoding says are a counted miss, and the next load repairs them', async () => {
    const namespace = randomUUID();
    const liar = { id: 201, name: 'liar', serialize: () => 'no JSON', deserialize: () => 'x' };
    const honest = {
      ...liar,
      deserialize: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
    };
    await (await remoteOnly({ namespace, serializer: liar })).set('k', 1);
    const url = redis.url.replace('127.0.0.1', 'localhost');
    const manager = await remoteOnly({
      namespace,
      serializer: { ...honest, serialize: (value) => JSON.stringify(value) },
      redis: { url },
    });
    expect(await manager.get('k')).toBeUndefined();
    expect(manager.stats().remote.rejected).toBe(1);
    expect(await manager.getOrSet('k', () => 'repaired')).toBe('repaired');
    expect(await manager.get('k')).toBe('repaired');
  });

  // Values lie behind each other in one buffer: what is damaged must not take the place, nor the bounds, of another.
  it.each<[string, string[]]>([
    ['no JSON', ['no JSON']],
    ['nothing', ['']],
    ['two values', ['1,2']],
    ['two values, and half a one twice', ['1,2', '[3', '4]']],
    ['an end and a beginning', ['1],[2']],
    ['halves of one, and one too many', ['[1', '2],3']],
    ['halves of one, and as many as they swallow', ['[1', '2],0,0,0,0']],
    ['halves of a text', ['"a', 'b"']],
    ['halves of a text, and two too many', ['"a', 'b",1,2']],
    ['an object that begins, and one that ends', ['{"a":1', '"b":2}']],
    ['a list that is not closed', ['[']],
    ['with a comma behind', ['1,']],
  ])('valid but for %s are a counted miss each, and the others are what they were', async (_, texts) => {
    const manager = await remoteOnly();
    const users = Array.from({ length: 12 }, (_, id) => ({ id, name: `user ${id}` }));
    const keys = users.map(({ name }) => name);
    await manager.setMany(users.map((value) => ({ key: value.name, value })));
    const encode = vi.spyOn(JSON, 'stringify');
    const planted = texts.map((text, at) => {
      encode.mockReturnValueOnce(text);
      return manager.set(keys[3 + 2 * at]!, 'damaged');
    });
    encode.mockRestore();
    await Promise.all(planted);

    const damaged = texts.map((_, at) => 3 + 2 * at);
    const expected = users.map((user) => (damaged.includes(user.id) ? undefined : user));
    expect(await manager.getMany(keys)).toEqual(expected);
    expect(await Promise.all(keys.map((key) => manager.get(key)))).toEqual(expected);
    expect(manager.stats().remote.rejected).toBe(2 * texts.length);
  });

  it('no string at all fail that key only, and everything is answered', async () => {
    const manager = await remoteOnly();
    await manager.ready();
    await redis.cli('RPUSH', nameOf(manager, 'list'), 'a', 'b');
    await manager.set('other', 1);
    expect(await manager.getMany(['list', 'other'])).toEqual([undefined, 1]);
    expect(await manager.getOrSet('list', () => 'loaded')).toBe('loaded');
    expect(manager.stats().remote.state).toBe('up');
    await manager.set('list', 'written over');
    expect(await manager.get('list')).toBe('written over');
  });

  it('without the end that the envelope speaks of are a miss', async () => {
    const manager = await remoteOnly();
    await manager.set('k', 1, { ttl: '1h' });
    await redis.cli('PERSIST', nameOf(manager, 'k'));
    // Whoever keeps what he reads must know how old it is.
    expect(await (await elsewhere(manager)).run(({ manager }) => manager.get('k'))).toBeUndefined();
    expect(await manager.getEntry('k')).toBeUndefined();
  });

  it('in the place of the namespace’s state make everything before old, and nothing fail', async () => {
    const manager = await remoteOnly();
    await manager.set('k', 1);
    const state = `tc:{${manager.namespacePath}}:g`;
    await redis.cli('HSET', state, 'i', 'not a number');
    expect(await manager.get('k')).toBeUndefined();
    await redis.cli('DEL', state);
    await redis.cli('SET', state, 'no hash');
    expect(await within(8_000, 'get', manager.get('k'))).toBeUndefined();
    expect(
      await within(
        8_000,
        'getOrSet',
        manager.getOrSet('k', () => 'loaded'),
      ),
    ).toBe('loaded');
    await within(8_000, 'clear', manager.clear());
    await redis.cli('DEL', state);
    await manager.set('k', 2);
    expect(await manager.get('k')).toBe(2);
  });

  it('a message on the bus that nobody understands change nothing', async () => {
    const manager = await remoteOnly({ memory: { maxBytes: '1mb' } });
    await manager.ready();
    await manager.set('k', 1);
    for (const noise of [Buffer.alloc(0), Buffer.from('{}'), createHash('sha512').update('noise').digest()]) {
      await redis.cli('PUBLISH', `tc:{${manager.namespacePath}}:bus`, noise);
    }
    expect(await manager.get('k')).toBe(1);
    expect(manager.stats().remote.state).toBe('up');
  });
});

describe('values that are read together', () => {
  it('are each their own, of every kind and length, once for each who asks', async () => {
    const manager = await remoteOnly();
    const values: unknown[] = [null, 0, -0.5, '', 'ö', '],[', '",', {}, [], [[]], { ö: '☃' }, 'x'.repeat(5_000)];
    const many = Array.from({ length: 600 }, (_, at) => ({ at, value: values[at % values.length] }));
    await manager.setMany(many.map((value) => ({ key: `k${value.at}`, value })));
    const keys = many.map(({ at }) => `k${at}`);
    expect(await manager.getMany(keys)).toEqual(many);
    expect(await Promise.all(keys.map((key) => manager.get(key)))).toEqual(many);
    const [one, other] = await manager.getMany<{ at: number }>(['k1', 'k1']);
    one!.at = -1;
    expect(other).toEqual(many[1]);
    expect(manager.stats().remote).toMatchObject({ rejected: 0, errors: 0 });
  });
});

describe('values', () => {
  it.each([
    ['1 MB of random text', 1 << 20, (size: number) => randomText(size)],
    ['10 MB of random text', 10 << 20, (size: number) => randomText(size)],
    ['10 MB of one letter', 10 << 20, (size: number) => 'x'.repeat(size)],
    ['3 MB of three-byte characters', 1 << 20, (size: number) => '漢'.repeat(size)],
  ])(
    'of %s arrive whole in another process',
    async (_, size, make) => {
      const manager = await remoteOnly();
      const value = { text: make(size) };
      await manager.set('large', value);
      const own = await manager.get<typeof value>('large');
      expect(own?.text === value.text).toBe(true);
      const answer = await (
        await elsewhere(manager)
      ).run(async ({ manager, require }) => {
        const { createHash } = require('node:crypto') as typeof import('node:crypto');
        const digests = [];
        for (let read = 0; read < 2; read++) {
          const { text } = (await manager.get<{ text: string }>('large'))!;
          digests.push(createHash('sha256').update(text).digest('hex'));
        }
        return { digests, remoteHits: manager.stats().remote.hits };
      });
      const digest = createHash('sha256').update(value.text).digest('hex');
      expect(answer).toEqual({ digests: [digest, digest], remoteHits: 1 });
    },
    60_000,
  );

  it('that are long and compress are stored compressed, the others as they are', async () => {
    const manager = await remoteOnly();
    await manager.set('compresses', 'x'.repeat(100_000));
    await manager.set('small', 'x'.repeat(900));
    expect((await stored(manager, 'compresses')).length).toBeLessThan(1_000);
    expect((await stored(manager, 'small')).length).toBeGreaterThan(900);
    const plain = await remoteOnly({ compression: false });
    await plain.set('k', 'x'.repeat(100_000));
    expect((await stored(plain, 'k')).length).toBeGreaterThan(100_000);
  });

  it('of every JSON type come back as the same type', async () => {
    const manager = await remoteOnly();
    const values = [
      null,
      true,
      false,
      0,
      -0.5,
      1e300,
      '',
      'é漢🙂\u0000\u2028',
      [],
      [[]],
      {},
      { '': null },
      { __proto__x: 1 },
    ];
    await manager.setMany(values.map((value, index) => ({ key: `k${index}`, value })));
    const keys = values.map((_, index) => `k${index}`);
    expect(await manager.getMany(keys)).toStrictEqual(values);
    expect(await (await elsewhere(manager)).run(({ manager }, keys) => manager.getMany(keys), keys)).toStrictEqual(
      values,
    );
  });

  it('above maxValueBytes are refused before anything is changed', async () => {
    const manager = await remoteOnly({ maxValueBytes: '1kb' });
    await manager.set('k', 'x'.repeat(1_022)); // with its quotes exactly the limit
    for (const value of ['x'.repeat(1_023), 'é'.repeat(512)]) {
      await expect(manager.set('k', value)).rejects.toMatchObject({ code: 'E_TURBOCACHE_VALUE_TOO_LARGE' });
    }
    await expect(manager.getOrSet('loaded', () => 'x'.repeat(1_023))).rejects.toMatchObject({
      code: 'E_TURBOCACHE_VALUE_TOO_LARGE',
    });
    expect(await manager.get('k')).toBe('x'.repeat(1_022));
    expect(await manager.get('loaded')).toBeUndefined();
  });

  it('that somebody with a higher limit has stored are a counted miss', async () => {
    const namespace = randomUUID();
    await (await remoteOnly({ namespace })).set('k', 'x'.repeat(100_000));
    const url = redis.url.replace('127.0.0.1', 'localhost');
    const small = await remoteOnly({ namespace, maxValueBytes: '1kb', redis: { url } });
    expect(await small.get('k')).toBeUndefined();
    expect(small.stats().remote.rejected).toBe(1);
  });
});

describe('keys', () => {
  const strange = [
    ' ', 'a b', 'a\nb', '\r\n$5\r\n', '\u0000', 'a\u0000b', '{', '}', '{}', 'a}b{c', ':', 'k:v', '/', '//', '%', '%2F', '*', '?', '[a]',
    'é', 'letters-of-é', 'letters-of-1', 'letters-of-12', 'letters-of-1é', 'e\u0301', '漢字', '🙂', '\u{10FFFF}', '\u200B', '__proto__', 'constructor', 'tc:{x}:v', '"', "'", '\\', '\u007F', '\uFEFF',
  ]; // prettier-ignore

  it('of any characters find their own value, here and in another process', async () => {
    const manager = await remoteOnly();
    await manager.setMany(strange.map((key, value) => ({ key, value })));
    const values = strange.map((_, value) => value);
    expect(await manager.getMany(strange)).toEqual(values);
    const other = await elsewhere(manager);
    expect(await other.run(({ manager }, keys) => manager.getMany(keys), strange)).toEqual(values);
    expect(await other.run(({ manager }, keys) => manager.deleteMany(keys), strange)).toBe(strange.length);
    expect(await manager.getMany(strange)).toEqual(strange.map(() => undefined));
  });

  it('are limited in bytes, and those at the limit work', async () => {
    const manager = await remoteOnly();
    for (const longest of ['k'.repeat(1_024), '漢'.repeat(341) + 'k', '🙂'.repeat(256)]) {
      await manager.set(longest, longest);
      expect(await manager.get(longest)).toBe(longest);
      const tooLong = manager.get(`${longest}k`);
      await expect(tooLong).rejects.toMatchObject({ code: 'E_TURBOCACHE_KEY_TOO_LONG', got: 1_025 });
    }
    const long = await remoteOnly({ maxKeyBytes: 65_536 });
    await long.set('k'.repeat(65_536), 1);
    expect(await long.get('k'.repeat(65_536))).toBe(1);
    expect(await (await elsewhere(manager)).run(({ manager }) => manager.get('🙂'.repeat(256)))).toBe('🙂'.repeat(256));
  });
});

describe('10,000 keys', () => {
  it('are written, read, loaded and removed together', async () => {
    const manager = await remoteOnly({ namespace: randomUUID() });
    const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}`);
    await manager.setMany(keys.map((key, index) => ({ key, value: { index } })));
    const values = await manager.getMany<{ index: number }>(keys);
    expect(values.every((value, index) => value?.index === index)).toBe(true);

    const other = await elsewhere(manager);
    const answer = await other.run(async (scope, keys) => {
      const first = await scope.manager.getMany<{ index: number }>(keys);
      const loaded = await scope.manager.getOrSetMany([...keys, 'new'], (missing) =>
        missing.map((key) => `loaded ${key}`),
      );
      return {
        right: first.every((value, index) => value?.index === index),
        last: loaded.at(-1),
        removed: await scope.manager.deleteMany(keys),
        left: (await scope.manager.getMany(keys)).filter((value) => value !== undefined).length,
      };
    }, keys);
    expect(answer).toEqual({ right: true, last: 'loaded new', removed: 10_000, left: 0 });
    expect((await manager.getMany(keys)).every((value) => value === undefined)).toBe(true);
    expect(manager.stats().remote.errors).toBe(0);
  }, 60_000);
});

function randomText(size: number): string {
  let text = '';
  for (let block = 0; text.length < size; block++) text += createHash('sha512').update(`${block}`).digest('base64');
  return text.slice(0, size);
}
