import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Ready } from './messages';

/** How long a process may take to end by itself before it is killed, in milliseconds. */
const PATIENCE = 5_000;

/** A Node process of the demo, with a channel for messages. */
export class DemoProcess<Message extends { kind: string }> {
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
  async ready(meanwhile?: (message: Exclude<Message, Ready>) => void): Promise<number> {
    return (
      (await this.receive('ready' as Message['kind'], meanwhile as (message: Message) => void)) as unknown as Ready
    ).port;
  }

  /** Sends a message and resolves to the next answer of the given kind. */
  async ask<Kind extends Message['kind']>(question: object, kind: Kind): Promise<Extract<Message, { kind: Kind }>> {
    const answer = this.receive(kind);
    this.child.send(question);
    return (await answer) as Extract<Message, { kind: Kind }>;
  }

  /** Closes the channel, which tells the process to end, and waits until it has. Having to kill it is an error. */
  async stop(): Promise<void> {
    if (this.hasEnded()) return;
    const ended = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE);
    await ended;
    clearTimeout(timer);
    if (this.child.signalCode === 'SIGKILL')
      throw new Error(`${this.name}: did not end by itself within ${PATIENCE} ms`);
  }

  private hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private receive(kind: Message['kind'], others?: (message: Message) => void): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (this.hasEnded()) return reject(this.endedBefore(kind));
      const onMessage = (message: Message): void => {
        if (message.kind !== kind) return others?.(message);
        finish();
        resolve(message);
      };
      const onExit = (): void => {
        finish();
        reject(this.endedBefore(kind));
      };
      const finish = (): void => {
        this.child.off('message', onMessage);
        this.child.off('exit', onExit);
      };
      this.child.on('message', onMessage);
      this.child.on('exit', onExit);
    });
  }

  private endedBefore(kind: string): Error {
    return new Error(
      `${this.name}: ended before it was ${kind} (${this.child.signalCode ?? `exit code ${this.child.exitCode}`})`,
    );
  }
}
