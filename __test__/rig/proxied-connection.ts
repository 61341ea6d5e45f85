/** A client's connection through the proxy: the bytes of both directions, and which request a reply answers. */
import type { Socket } from 'node:net';
import type { Catch, MessageKind } from './catch';
import { FrameSplitter, wordsOf } from './frames';
import { Line } from './line';

const SUBSCRIBING = ['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE'];
const PUSHES = new Set(['message', 'pmessage', 'smessage', ...SUBSCRIBING.map((name) => name.toLowerCase())]);

/** What the proxy decides, asked for each piece of bytes. */
export interface Policy {
  /** Whether bytes vanish now. */
  swallows(connection: ProxiedConnection): boolean;
  /** Whether this piece of a reply vanishes. */
  dropsReply(): boolean;
  holdsReplies(): boolean;
  /** Milliseconds by which the next piece is late. */
  delay(): number;
  trickle(): number;
  /** The fault that waits for this message. */
  catchFor(kind: MessageKind, words: readonly string[]): Catch | undefined;
}

export class ProxiedConnection {
  /** Whether it has subscribed to channels: then it is a bus, not a line for commands. */
  isSubscribed = false;
  readonly #requests: Line;
  readonly #replies: Line;
  /** The words of requests that have no reply yet. */
  readonly #unanswered: string[][] = [];
  #held: (() => void)[] = [];
  #swapped: Buffer | undefined;

  constructor(
    readonly client: Socket,
    readonly target: Socket,
    readonly policy: Policy,
    readsMessages: boolean,
  ) {
    this.#requests = new Line(target, () => policy.trickle());
    this.#replies = new Line(client, () => policy.trickle());
    this.#forward(client, readsMessages, (bytes) => this.#request(bytes, readsMessages));
    this.#forward(target, readsMessages, (bytes) => this.#reply(bytes, readsMessages));
  }

  get sockets(): readonly Socket[] {
    return [this.client, this.target];
  }

  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#requests.end();
    this.#replies.end();
    this.#held = [];
  }

  releaseReplies(): void {
    this.#held.splice(0).forEach((deliver) => deliver());
  }

  #forward(from: Socket, readsMessages: boolean, handle: (bytes: Buffer) => void): void {
    const splitter = new FrameSplitter();
    from.on('data', (chunk: Buffer) => {
      if (readsMessages) splitter.push(chunk).forEach(handle);
      else handle(chunk);
    });
  }

  #request(bytes: Buffer, isMessage: boolean): void {
    const words = isMessage ? wordsOf(bytes) : [];
    if (isMessage) {
      // Redis confirms subscriptions with pushes, one a channel.
      if (SUBSCRIBING.includes(words[0]?.toUpperCase() ?? '')) this.isSubscribed = true;
      else if (!this.policy.swallows(this)) this.#unanswered.push(words);
    }
    if (this.policy.swallows(this)) return;
    this.#pass('request', bytes, words, isMessage, this.#requests);
  }

  #reply(bytes: Buffer, isMessage: boolean): void {
    const kind = isMessage && this.#isPush(bytes) ? 'push' : 'reply';
    const words = kind === 'push' ? wordsOf(bytes) : isMessage ? (this.#unanswered.shift() ?? []) : [];
    if (this.policy.swallows(this) || this.policy.dropsReply()) return;
    const deliver = (): void => this.#pass(kind, bytes, words, isMessage, this.#replies);
    if (this.policy.holdsReplies()) this.#held.push(deliver);
    else deliver();
  }

  #pass(kind: MessageKind, bytes: Buffer, words: readonly string[], isMessage: boolean, line: Line): void {
    const fault = isMessage ? this.policy.catchFor(kind, words) : undefined;
    if (fault !== undefined) {
      if (fault.fate === 'swap') this.#swapped = bytes;
      return fault.take(bytes, line);
    }
    line.add(bytes, this.policy.delay());
    if (this.#swapped === undefined || kind !== 'reply') return;
    line.add(this.#swapped);
    this.#swapped = undefined;
  }

  #isPush(bytes: Buffer): boolean {
    if (bytes[0] === 0x3e) return true; // >
    return this.isSubscribed && bytes[0] === 0x2a && PUSHES.has(wordsOf(bytes)[0] ?? '');
  }
}
