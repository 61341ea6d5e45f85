import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const ALL = new URL('../scenarios/all.mjs', import.meta.url).href;

/** The runner's side of one contestant's process. Once it has returned a wrong value, or failed, it is not asked again. */
export class Seat {
  operations = undefined;
  turns = [];
  /** Why nothing that it measured counts. */
  fault = undefined;
  #process;

  /** `scenario.module` is where its process finds the scenario, among the exported `scenarios`. */
  constructor({ name, module = ALL }, index, settings) {
    this.name = `contestant ${index}`;
    const program = new URL('./seat-process.mjs', import.meta.url).pathname;
    this.#process = fork(program, [module, name, String(index), JSON.stringify(settings)]);
  }

  get pid() {
    return this.#process.pid;
  }

  async open() {
    await this.#ask('open');
  }

  async warmUp() {
    this.operations = await this.#ask('warmUp');
  }

  async turn() {
    const figures = await this.#ask('turn');
    if (figures !== undefined) this.turns.push(figures);
  }

  async close() {
    const child = this.#process;
    if (!child.connected) return;
    child.send('close');
    await Promise.race([once(child, 'message'), once(child, 'exit'), sleep(5_000, undefined, { ref: false })]);
    child.kill('SIGKILL');
  }

  #ask(question) {
    if (this.fault !== undefined) return undefined;
    return new Promise((resolve) => {
      const child = this.#process;
      const died = (code, signal) => {
        this.fault = `ended with ${signal ?? code} in ${question}`;
        resolve();
      };
      child.once('exit', died);
      child.once('message', ({ name, answer, fault }) => {
        child.off('exit', died);
        this.name = name ?? this.name;
        this.fault = fault;
        resolve(answer);
      });
      child.send(question);
    });
  }
}
