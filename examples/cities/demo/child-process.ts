import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { DemoMessage, TimeMethod } from './messages';

/** How long a process may take to end by itself before it is killed, in milliseconds. */
const PATIENCE = 10_000;

type Kind = DemoMessage['kind'];
type MessageOf<K extends Kind> = Extract<DemoMessage, { kind: K }>;

/** A Node process of the demo, with a channel for messages. */
export class DemoProcess {
  private readonly child: ChildProcess;

  constructor(
    readonly name: string,
    modulePath: string,
    environment: Record<string, string>,
  ) {
    this.child = fork(modulePath, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** Resolves to the port once the process serves; on the way there, other messages go to `meanwhile`. */
  async ready(meanwhile?: (message: DemoMessage) => void): Promise<number> {
    return (await this.receive('ready', meanwhile)).port;
  }

  /** Sends a question and resolves to the next answer of the given kind. */
  ask<K extends Kind>(question: TimeMethod, kind: K): Promise<MessageOf<K>> {
    const answer = this.receive(kind);
    this.child.send(question);
    return answer;
  }

  /** Closes the channel, which tells the process to end, and waits until it has. Having to kill it is an error. */
  async stop(): Promise<void> {
    if (this.hasEnded()) return;
    const ended = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE);
    await ended;
    clearTimeout(timer);
    if (this.child.signalCode !== null) throw new Error(`${this.name}: did not end by itself (${this.ending()})`);
    if (this.child.exitCode !== 0) throw new Error(`${this.name}: ended with an error (${this.ending()})`);
  }

  private receive<K extends Kind>(kind: K, others?: (message: DemoMessage) => void): Promise<MessageOf<K>> {
    return new Promise((resolve, reject) => {
      const refuse = (): void => reject(new Error(`${this.name}: ended before it was ${kind} (${this.ending()})`));
      if (this.hasEnded()) return refuse();

      const onMessage = (message: DemoMessage): void => {
        if (message.kind !== kind) return others?.(message);
        finish();
        resolve(message as MessageOf<K>);
      };
      const onExit = (): void => {
        finish();
        refuse();
      };
      const finish = (): void => {
        this.child.off('message', onMessage);
        this.child.off('exit', onExit);
      };
      this.child.on('message', onMessage);
      this.child.on('exit', onExit);
    });
  }

  private hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private ending(): string {
    return this.child.signalCode ?? `exit code ${this.child.exitCode}`;
  }
}
