import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProxy } from './rig/proxy';
import { runSource } from './rig/processes';
import { startRedis, type RedisServer } from './rig/redis';
import { RespConnection } from './rig/resp';

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
