import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrameSplitter, wordsOf } from './rig/frames';
import { freePort } from './rig/port';
import { commands, mentions, startProxy, type FaultProxy } from './rig/proxy';
import { runSource } from './rig/processes';
import { startRedis, type RedisServer } from './rig/redis';
import { RespConnection } from './rig/resp';
import { startTimeAwake } from './rig/time-awake';

// The rig is what other tests stand on: each fault must really happen.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe('the redis-server of a test', () => {
  it('answers commands of every reply type', async () => {
    expect(await redis.cli('SET', 'a', 'ü')).toBe('OK');
    expect(await redis.cli('GET', 'a')).toBe(Buffer.from('ü').toString('latin1'));
    expect(await redis.cli('GET', 'absent')).toBeNull();
    expect(await redis.cli('DEL', 'a')).toBe(1);
    expect(await redis.cli('EVAL', "return {1, 'x', {}}", 0)).toEqual([1, 'x', []]);
    await expect(redis.cli('NONSENSE')).rejects.toThrow('unknown command');
  });

  it('is empty and on the same port after a restart', async () => {
    const own = await startRedis();
    await own.cli('SET', 'k', 'v');
    await own.kill();
    await expect(own.cli('PING')).rejects.toThrow();
    await own.restart();
    expect(await own.cli('GET', 'k')).toBeNull();
    await own.stop();
  });

  it('does not answer while it is frozen, and answers late when it thaws', async () => {
    const own = await startRedis();
    await own.kill('SIGSTOP');
    const late = own.cli('PING');
    await expect(Promise.race([late, after(100)])).resolves.toBe('nothing');
    await own.kill('SIGCONT');
    await expect(late).resolves.toBe('PONG');
    await own.stop();
  });

  it('says why it does not start', async () => {
    await expect(startRedis({ args: ['--nonsense', 'yes'] })).rejects.toThrow(/nonsense/);
  });
});

describe('the proxy', () => {
  it('forwards, cuts, and refuses until it is healed', async () => {
    const proxy = await startProxy(redis.port);
    const first = await RespConnection.open(proxy.port);
    expect(await first.command('PING')).toBe('PONG');
    const closed = new Promise((resolve) => first.socket.once('close', resolve));
    proxy.cut({ refuse: true });
    await closed;
    const refused = await RespConnection.open(proxy.port);
    await expect(refused.command('PING')).rejects.toThrow();
    proxy.heal();
    const second = await RespConnection.open(proxy.port);
    expect(await second.command('PING')).toBe('PONG');
    second.close();
    await proxy.close();
  });

  it('holds replies and delivers them in order', async () => {
    const proxy = await startProxy(redis.port);
    const connection = await RespConnection.open(proxy.port);
    proxy.holdReplies();
    const replies = Promise.all([connection.command('ECHO', 'a'), connection.command('ECHO', 'b')]);
    await expect(Promise.race([replies, after(50)])).resolves.toBe('nothing');
    proxy.releaseReplies();
    await expect(replies).resolves.toEqual(['a', 'b']);
    connection.close();
    await proxy.close();
  });

  it('swallows everything while half open, and a dropped reply', async () => {
    const proxy = await startProxy(redis.port);
    const connection = await RespConnection.open(proxy.port);
    proxy.dropReplies();
    await expect(Promise.race([ignored(connection.command('ECHO', 'lost')), after(50)])).resolves.toBe('nothing');
    proxy.halfOpen();
    await expect(Promise.race([ignored(connection.command('ECHO', 'lost')), after(50)])).resolves.toBe('nothing');
    expect(connection.socket.destroyed).toBe(false);
    connection.close();
    await proxy.close();
  });

  it('delays each direction', async () => {
    const proxy = await startProxy(redis.port);
    const connection = await RespConnection.open(proxy.port);
    proxy.delay(40);
    const start = performance.now();
    await connection.command('PING');
    expect(performance.now() - start).toBeGreaterThan(75);
    connection.close();
    await proxy.close();
  });
});

describe('the proxy that reads messages', () => {
  const open = async (): Promise<{ proxy: FaultProxy; connection: RespConnection; close: () => Promise<void> }> => {
    const proxy = await startProxy(redis.port, { messages: true });
    const connection = await RespConnection.open(proxy.port);
    const close = async (): Promise<void> => {
      connection.close();
      await proxy.close();
    };
    return { proxy, connection, close };
  };

  it('holds the reply to one request when Redis has executed it, and what comes behind it', async () => {
    const { proxy, connection, close } = await open();
    const held = proxy.hold('reply', commands(['INCR'], 'held'));
    const replies = [connection.command('ECHO', 'before'), connection.command('INCR', 'held')];
    const behind = connection.command('ECHO', 'behind');
    await expect(replies[0]).resolves.toBe('before');
    await held.caught;
    expect(await redis.cli('GET', 'held')).toBe('1');
    await expect(Promise.race([behind, after(50)])).resolves.toBe('nothing');
    held.release();
    await expect(Promise.all([replies[1], behind])).resolves.toEqual([1, 'behind']);
    await close();
  });

  it('lets what was held go in one chunk', async () => {
    const { proxy, connection, close } = await open();
    const [one, two] = ['one', 'two'].map((word) => proxy.hold('reply', mentions(word)));
    const chunks: string[] = [];
    connection.socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    const replies = Promise.all([connection.command('ECHO', 'one'), connection.command('ECHO', 'two')]);
    await two!.caught;
    two!.release();
    one!.release();
    await replies;
    expect(chunks).toEqual(['$3\r\none\r\n$3\r\ntwo\r\n']);
    await close();
  });

  it('holds a request before Redis sees it', async () => {
    const { proxy, connection, close } = await open();
    const held = proxy.hold('request', commands(['SET'], 'asked'));
    const reply = connection.command('SET', 'asked', 1);
    await held.caught;
    expect(await redis.cli('GET', 'asked')).toBeNull();
    held.release();
    expect(await reply).toBe('OK');
    await close();
  });

  it.each<[string, (proxy: FaultProxy) => unknown, string[]]>([
    ['drops', (proxy) => proxy.drop('reply', mentions('b')), ['a', 'c', 'd']],
    ['doubles', (proxy) => proxy.double('reply', mentions('b')), ['a', 'b', 'b', 'c']],
    ['swaps', (proxy) => proxy.swap(mentions('b')), ['a', 'c', 'b', 'd']],
  ])('%s a single reply', async (_, fault, expected) => {
    const { proxy, connection, close } = await open();
    fault(proxy);
    const replies = ['a', 'b', 'c', 'd'].map((word) => connection.command('ECHO', word));
    for (const reply of replies) reply.catch(() => 'the connection is closed at the end');
    expect(await Promise.all(replies.slice(0, expected.length))).toEqual(expected);
    await close();
  });

  it('goes on with every such message, if it is to', async () => {
    const { proxy, connection, close } = await open();
    const held = proxy.hold('reply', mentions('slow'), { every: true });
    const replies = Promise.all(['slow 1', 'quick', 'slow 2'].map((word) => connection.command('ECHO', word)));
    await held.caught;
    await expect(Promise.race([replies, after(50)])).resolves.toBe('nothing');
    held.release();
    expect(await replies).toEqual(['slow 1', 'quick', 'slow 2']);
    expect(await connection.command('ECHO', 'slow 3')).toBe('slow 3');
    await close();
  });

  it('forgets a fault that was taken back', async () => {
    const { proxy, connection, close } = await open();
    const held = proxy.hold('reply', () => true);
    held.release();
    expect(await connection.command('ECHO', 'a')).toBe('a');
    expect(held.isCaught).toBe(false);
    await close();
  });

  it('tells messages of a subscription from replies, and a bus from other connections', async () => {
    const { proxy, connection, close } = await open();
    const bus = await RespConnection.open(proxy.port);
    await bus.command('SUBSCRIBE', 'news');
    const lost = proxy.drop('push', mentions('lost'));
    const heard: string[] = [];
    bus.socket.on('data', (chunk: Buffer) => heard.push(...wordsOf(chunk)));
    await redis.cli('PUBLISH', 'news', 'lost');
    await redis.cli('PUBLISH', 'news', 'kept');
    await until(() => heard.includes('kept'));
    expect(lost.isCaught).toBe(true);
    expect(heard).toEqual(['message', 'news', 'kept']);

    proxy.halfOpen('bus');
    await redis.cli('PUBLISH', 'news', 'unheard');
    expect(await connection.command('ECHO', 'a')).toBe('a');
    proxy.heal();
    await redis.cli('PUBLISH', 'news', 'again');
    await until(() => heard.includes('again'));
    expect(heard).not.toContain('unheard');

    const closed = new Promise((resolve) => bus.socket.once('close', resolve));
    proxy.cut({ which: 'bus' });
    await closed;
    expect(await connection.command('ECHO', 'b')).toBe('b');
    await close();
  });

  it('trickles, and everything still arrives in its order', async () => {
    const { proxy, connection, close } = await open();
    proxy.trickle(1);
    const start = performance.now();
    const words = ['first', 'second', 'third'];
    expect(await Promise.all(words.map((word) => connection.command('ECHO', word)))).toEqual(words);
    expect(performance.now() - start).toBeGreaterThan(30);
    await close();
  });

  it('keeps the order when the delay jitters', async () => {
    const { proxy, connection, close } = await open();
    proxy.delay(1, { jitter: 20 });
    const words = Array.from({ length: 50 }, (_, index) => String(index));
    expect(await Promise.all(words.map((word) => connection.command('ECHO', word)))).toEqual(words);
    await close();
  });

  it('goes to another server when it is told to', async () => {
    const other = await startRedis();
    await other.cli('SET', 'who', 'the other');
    const { proxy, connection, close } = await open();
    expect(await connection.command('GET', 'who')).toBeNull();
    proxy.targetPort = other.port;
    const later = await RespConnection.open(proxy.port);
    expect(await later.command('GET', 'who')).toBe('the other');
    expect(await connection.command('GET', 'who')).toBeNull();
    later.close();
    await close();
    await other.stop();
  });

  it('refuses faults for messages when it does not read them', async () => {
    const proxy = await startProxy(redis.port);
    expect(() => proxy.drop('reply', mentions('a'))).toThrow('messages: true');
    await proxy.close();
  });
});

describe('messages of RESP', () => {
  const stream = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':1\r\n',
    '$-1\r\n',
    '$4\r\n\r\n$1\r\n',
    '*-1\r\n',
    '*2\r\n$1\r\na\r\n*1\r\n_\r\n',
    '%1\r\n+server\r\n$5\r\nredis\r\n',
    '~1\r\n#t\r\n',
    '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n',
    '>2\r\n$10\r\ninvalidate\r\n_\r\n',
    '|1\r\n+ttl\r\n:1\r\n,1.5\r\n',
    '=6\r\ntxt:ab\r\n',
    '(123\r\n',
  ];

  it.each([1, 3, 7, 1_000])('are found in chunks of %i bytes', (size) => {
    const bytes = Buffer.from(stream.join(''));
    const splitter = new FrameSplitter();
    const frames: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      frames.push(...splitter.push(bytes.subarray(at, at + size)).map(String));
    }
    expect(frames).toEqual(stream);
  });

  it('show their words', () => {
    expect(wordsOf(Buffer.from(stream[6]!))).toEqual(['a']);
    expect(wordsOf(Buffer.from(stream[7]!))).toEqual(['server', 'redis']);
    expect(wordsOf(Buffer.from(stream[9]!))).toEqual(['invalidate', 'k']);
  });

  it('of another protocol are refused', () => {
    expect(() => new FrameSplitter().push(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow('no RESP');
  });
});

describe('time awake', () => {
  it('goes on while the process runs, and hardly while it is kept from running', async () => {
    const running = startTimeAwake();
    await after(50);
    expect(running.stop()).toBeGreaterThan(15);
    const blocked = startTimeAwake();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    expect(blocked.stop()).toBeLessThanOrEqual(20);
  });
});

describe('a port', () => {
  it('is not given twice, and is free', async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, freePort));
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) {
      const server = createServer().listen(port, '127.0.0.1');
      await once(server, 'listening');
      server.close();
    }
  });
});

describe('a process of a test', () => {
  it('talks in lines and ends by itself', async () => {
    const echo = runSource(`process.stdin.on('data', (text) => process.stdout.write('got ' + text));`);
    expect(await echo.ask('one')).toBe('got one');
    echo.endInput();
    expect(await echo.exit()).toMatchObject({ code: 0, signal: null });
    await expect(echo.line()).rejects.toThrow('ended without another line');
  });

  it('is killed, and the test told, when it does not end', async () => {
    const stuck = runSource('setInterval(() => {}, 1000)');
    await expect(stuck.exit(200)).rejects.toThrow('did not end');
  });
});

const after = (milliseconds: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('nothing'), milliseconds));

/** Fails only when the connection closes at the end of the test. */
const ignored = (reply: Promise<unknown>): Promise<unknown> => reply.catch(() => 'closed');

/** Asks until it is true; the test's own limit ends it. */
async function until(answer: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await answer())) await after(2);
}
