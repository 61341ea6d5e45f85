/** The runner's hands on a member: a process of its own, or a worker thread of one, that holds a cache. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** No call may take longer before it counts as never answered. */
const LIMIT = 15_000;

const PROGRAM = fileURLToPath(new URL('member-program.mjs', import.meta.url));
const STDERR = 4_000;
/** A refresh that has not called its loader by then will not. */
const REFRESH_BEGINS = 1_000;
const REFRESH_PAUSE = 20;

/** Starts a process that opens the system's cache in `place`, behind `proxy` if there is one. */
export async function startMember({ system, place, proxy, env = {}, name }) {
  const child = fork(PROGRAM, [JSON.stringify({ system: system.url, place })], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr = (stderr + text).slice(-STDERR)));
  const member = new Member(name, (order) => child.connected && child.send(order));
  Object.assign(member, { proxy, pid: child.pid, signal: (signal) => child.kill(signal) });
  member.end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    kill();
    await ended;
  };
  child.on('message', (message) => member.heard(message));
  child.on('error', (error) => member.heard({ event: 'gone', why: error.message }));
  child.on('close', (code, signal) => {
    member.heard({ event: 'gone', why: `the process ended with ${signal ?? code}`, stderr });
  });
  await member.ready;
  return member;
}

/** `get`, `set`, `delete` and so on as the system's adapter has them. */
export class Member {
  #send;
  #last = 0;
  #open = new Map();
  #loads = new Map();
  #workers = new Map();
  #tellReady;
  /** Why it is gone, once it is. */
  gone;
  /** Answers what functions that run there `ask`. */
  onAsk = () => undefined;

  constructor(name, send) {
    this.name = name;
    this.#send = send;
    this.ready = new Promise((resolve, reject) => (this.#tellReady = { resolve, reject }));
    this.ready.catch(() => {});
  }

  get = (key) => this.call('get', key);
  peek = (key) => this.call('peek', key);
  set = (key, value, options) => this.call('set', key, value, options);
  delete = (key) => this.call('delete', key);
  invalidateTag = (tag) => this.call('invalidateTag', tag);

  call(method, ...args) {
    return this.#order({ what: 'call', method, args }).result;
  }

  /** Runs `code` there; its source text is sent. It gets `{ cache, system, place, ask }` first. */
  run(code, ...args) {
    return this.runFor(LIMIT, code, ...args);
  }

  /** The same for what takes up to `limit` milliseconds. */
  runFor(limit, code, ...args) {
    return this.#order({ what: 'run', source: code.toString(), args }, limit).result;
  }

  /**
   * Begins `getOrSet` with a loader that waits. `called` resolves with `true` when the loader runs, with `false` when the
   * call has ended without it; `finish(value)` and `fail(message)` end the loader; `result` is the call's.
   */
  load(key, options) {
    const load = this.#load('getOrSet', key, options);
    load.result.catch(() => {}).finally(() => load.tell(false));
    return load;
  }

  /** Begins a load and waits until its loader runs. */
  async loading(key, options) {
    const load = this.load(key, options);
    if (!(await load.called)) throw new Unforced(`${this.name} did not call the loader of ${key}`);
    return load;
  }

  /**
   * Begins a refresh in the background and waits until its loader runs, which may be after the call was answered. A value
   * may have to reach a certain age first: it is tried again for a while.
   */
  async refreshing(key) {
    const end = performance.now() + REFRESH_BEGINS;
    do {
      const load = this.#load('refresh', key);
      const timer = setTimeout(() => load.tell(false), REFRESH_PAUSE);
      const isCalled = await load.called;
      clearTimeout(timer);
      if (isCalled) return load;
    } while (performance.now() < end);
    throw new Unforced(`${this.name} did not call the loader of a refresh of ${key}`);
  }

  /** `getOrSet` with a loader that answers at once, and whether it was called. */
  async loadNow(key, value, options) {
    const load = this.load(key, options);
    const isCalled = await load.called;
    if (isCalled) load.finish(value);
    return { value: await load.result, isCalled };
  }

  /** A member in a worker thread of this process. */
  async startWorker() {
    const number = ++this.#last;
    const worker = new Member(`a worker of ${this.name}`, (order) => this.#send({ worker: number, order }));
    worker.terminate = () => this.run((scope, number) => scope[`worker ${number}`].terminate(), number);
    this.#workers.set(number, worker);
    this.#send({ what: 'start worker', worker: number });
    await worker.ready;
    return worker;
  }

  heard({ event, id, value, error, why, stderr, worker, message, question }) {
    if (event === 'ask') return this.#send({ what: 'told', id, value: this.onAsk(question) });
    if (event === 'ready') return this.#tellReady.resolve();
    if (event === 'of worker') return this.#workers.get(worker)?.heard(message);
    if (event === 'gone') return this.#end(stderr ? `${why}: ${reasonIn(stderr)}` : why);
    if (event === 'called') return this.#loads.get(id)?.tell(true);
    const waiting = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Failed(error));
  }

  #load(method, key, options) {
    const { id, result } = this.#order({ what: 'load', method, key, options });
    const load = { calls: 0, result };
    load.called = new Promise((resolve) => {
      load.tell = (isCalled) => {
        if (isCalled) load.calls++;
        resolve(isCalled);
      };
    });
    const finish = (ending) => {
      this.#send({ what: 'finish', id, ...ending });
      this.#loads.delete(id);
    };
    load.finish = (value) => finish({ value });
    load.fail = (error) => finish({ error });
    this.#loads.set(id, load);
    return load;
  }

  #order(order, limit = LIMIT) {
    const id = ++this.#last;
    const what = order.method ?? order.what;
    const result = new Promise((resolve, reject) => {
      if (this.gone !== undefined) return reject(new Gone(this.gone));
      const late = new NoAnswer(`${what} of ${this.name} was not answered within ${limit / 1_000} s`);
      const timer = setTimeout(() => reject(late), limit);
      const settle = (then) => (value) => {
        clearTimeout(timer);
        then(value);
      };
      this.#open.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
    result.catch(() => {}); // whoever waits for it is told
    this.#send({ id, ...order });
    return { id, result };
  }

  #end(why) {
    this.gone ??= why;
    this.#tellReady.reject(new Gone(why));
    for (const { reject } of this.#open.values()) reject(new Gone(`${this.name}: ${why}`));
    this.#open.clear();
    for (const worker of this.#workers.values()) worker.heard({ event: 'gone', why });
  }
}

/** The schedule could not be brought about: the repetition says nothing. */
export class Unforced extends Error {}
/** What went wrong in a member; the sentence says what. */
export class MemberError extends Error {}
export class NoAnswer extends MemberError {}
export class Gone extends MemberError {}
export class Failed extends MemberError {
  constructor({ name, message, code }) {
    super(`a call failed with ${code ?? name}: ${message.split('\n')[0]}`);
    this.code = code;
  }
}

/** The line of a crash that says what it was. */
function reasonIn(stderr) {
  const lines = stderr.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
}
