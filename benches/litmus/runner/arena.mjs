/**
 * Where a case is played for one system: a Redis server of its own, and members, each behind a proxy of its own that can
 * hold, lose and delay what it says to Redis and hears from it.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { mentions } from './matches.mjs';
import { startMember, Unforced } from './member.mjs';

/** What was invalidated may be served elsewhere for so long, whatever happens to messages: the bound of the design. */
export const BOUND = 1_000;
/** Within this time a call must be answered, whatever Redis does. */
export const DEADLINE = 2_000;
/** What a schedule waits for must happen within this time, else the schedule could not be forced. */
const PATIENCE = 2_000;
const TTL = 600_000;

/** `rig` starts servers and proxies (`__test__/rig`); `settings` are the case's. */
export async function openArena({ system, rig, settings = {}, quick = false }) {
  const arena = new Arena({ system, rig, settings, quick });
  try {
    await arena.open();
  } catch (error) {
    await arena.close();
    throw error;
  }
  return arena;
}

class Arena {
  members = [];
  #opened = [];
  #proxies = [];
  #servers = [];
  #namespace = `l${randomBytes(4).toString('hex')}`;
  #keys = 0;

  constructor({ system, rig, settings, quick }) {
    Object.assign(this, { system, rig, settings, quick });
  }

  get hasBus() {
    return this.system.lacks?.bus === undefined;
  }

  async open() {
    const { redis = {}, members = 2, env } = this.settings;
    this.redis = await this.startRedis(redis);
    const names = Array.from({ length: members }, (_, index) => `process ${'ABCDEFGH'[index]}`);
    this.members = await Promise.all(names.map((name, index) => this.start(name, env?.(this, index))));
    await this.hearEachOther();
  }

  async startRedis(options) {
    const server = await this.rig.startRedis(options);
    this.#servers.push(server);
    return server;
  }

  /** `messages: false` for a line that does not speak the protocol of clients. */
  async startProxy(port, { messages = true } = {}) {
    const proxy = await this.rig.startProxy(port, { messages });
    this.#proxies.push(proxy);
    return proxy;
  }

  async start(name, env) {
    const { ttl = TTL, tags = false, isDirect = false } = this.settings;
    const proxy = isDirect ? undefined : await this.startProxy(this.redis.port);
    const host = '127.0.0.1';
    const { port } = proxy ?? this.redis;
    const url = `redis://${host}:${port}`;
    const place = { host, port, url, namespace: this.#namespace, ttl, tags };
    const member = await startMember({ system: this.system, place, proxy, env, name });
    this.#opened.push(member);
    return member;
  }

  /** Waits until what one member changes the others see: no case begins before they have subscribed. */
  async hearEachOther(members = this.members) {
    if (!this.hasBus) return;
    for (const writer of members) {
      const others = members.filter((member) => member !== writer);
      const heard = async () => {
        const key = this.key();
        await writer.set(key, 1);
        if ((await this.agree(key, (value) => value === 1, { members: others })) !== undefined) return false;
        await writer.set(key, 2);
        return (await this.agree(key, (value) => value === 2, { members: others, within: 300 })) === undefined;
      };
      if (!(await this.becomes(heard, 10_000))) throw new Unforced(`nobody hears ${writer.name}`);
    }
  }

  /** A key that nobody has used. */
  key() {
    return `k${++this.#keys}-${randomBytes(3).toString('hex')}.`;
  }

  /** The first member writes a value, and all hold it in memory: they read it without asking Redis. */
  async held(key, value, members = this.members, options = undefined) {
    await members[0].set(key, value, options);
    await Promise.all(members.map((member) => this.keeps(member, key, value)));
  }

  /** Waits until the member has in memory what Redis has. */
  async keeps(member, key, value, within = PATIENCE) {
    if (this.system.lacks?.memory !== undefined) return;
    const holds = async () => (await this.readsFromMemory(member, key)) === value;
    if (!(await this.becomes(holds, within))) throw new Unforced(`${member.name} does not keep ${key} in memory`);
  }

  /**
   * The writer stores a value; the reader has been told, and has nothing in its memory. (A system whose messages carry
   * values does not get this one.)
   */
  async inRedisOnly(key, value, writer, reader) {
    if (!this.hasBus) return writer.set(key, value);
    const fate = this.system.pushesValues ? 'drop' : 'hold';
    const told = reader.proxy[fate]('push', mentions(key), { every: true });
    await writer.set(key, value);
    await this.caught(told);
    told.release();
  }

  /** What a read gives that asks Redis nothing about the key; `undefined` if it asks. */
  async readsFromMemory(member, key) {
    const asked = member.proxy.hold('request', mentions(key));
    const read = member.get(key);
    const value = await Promise.race([read, asked.caught]);
    asked.release();
    await read;
    return asked.isCaught ? undefined : value;
  }

  /** Waits until the message has come, while `call` is under way. */
  async caught(fault, call = new Promise(() => {})) {
    const late = sleep(PATIENCE, undefined, { ref: false });
    await Promise.race([fault.caught, Promise.resolve(call).catch(() => {}), late]);
    if (fault.isCaught) return;
    fault.release();
    throw new Unforced(`no ${fault.kind} to ${fault.fate} came`);
  }

  /** Waits until a member whose connections were disturbed reads what another one writes, and is told of it. */
  async isBack(member, writer, within = 10_000) {
    const hearsAndReads = async () => {
      const key = this.key();
      const told = member.proxy.hold('push', mentions(key));
      await writer.set(key, 1).catch(() => {});
      const isTold = !this.hasBus || (await this.becomes(() => told.isCaught, 100));
      told.release();
      return isTold && (await member.get(key).catch(() => undefined)) === 1;
    };
    return this.becomes(hearsAndReads, within);
  }

  /** The names in Redis that hold something of a key. */
  names(key) {
    return this.redis.cli('KEYS', `*${key}*`);
  }

  /** Asks until it is true, at most `within` milliseconds; whether it became true. */
  async becomes(condition, within = BOUND) {
    const end = performance.now() + within;
    while (!(await condition())) {
      if (performance.now() > end) return false;
      await sleep(1);
    }
    return true;
  }

  /** Nobody may serve what is old for longer than the bound. What is wrong, as a sentence; `undefined` if nothing is. */
  async forgotten(key, { old = 'old', members = this.members, within = BOUND } = {}) {
    return this.agree(key, (value) => value !== old, { members, within });
  }

  /** All must read what is right within the bound. */
  async agree(key, isRight, { members = this.members, within = BOUND } = {}) {
    const faults = await Promise.all(
      members.map(async (member) => {
        let last;
        const reads = async () => isRight((last = await member.get(key)));
        if (await this.becomes(reads, within)) return undefined;
        return `${member.name} still reads ${JSON.stringify(last)} after ${within} ms`;
      }),
    );
    return faults.find((fault) => fault !== undefined);
  }

  async close() {
    await Promise.all(this.#opened.map((member) => member.end()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await Promise.all(this.#servers.map((server) => server.stop()));
    this.settings.onClose?.(this);
  }
}
