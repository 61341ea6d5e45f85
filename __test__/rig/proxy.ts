/**
 * A TCP proxy that misbehaves on command. Point a client at `proxy.port`; the faults apply to bytes that arrive from then
 * on, on connections old and new, until `heal()`.
 *
 * With `messages: true` it knows where a message of the Redis protocol begins and ends and which request a reply answers:
 * then single messages can be held, dropped, doubled and swapped, and the connections of a bus be told from the others.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Catch, type CatchOptions, type Fate, type Match, type MessageKind } from './catch';
import { ProxiedConnection, type Policy } from './proxied-connection';

export { commands, mentions, type Catch, type CatchOptions, type Match } from './catch';

/** Which connections a fault is for: those that have subscribed to channels, those that have not, or all. */
export type Which = 'all' | 'bus' | 'commands';

interface Faults {
  /** Milliseconds that every piece is late, in each direction, and up to so many more. */
  delay: number;
  jitter: number;
  /** New connections are accepted and closed at once. */
  refuse: boolean;
  /** Nothing is forwarded in either direction, and nobody is told: a cable that was cut. */
  halfOpen: Which | undefined;
  /** Replies wait until `releaseReplies()`; requests go through. */
  holdReplies: boolean;
  /** So many of the next pieces of replies vanish. */
  dropReplies: number;
  /** So many bytes a millisecond and direction; `0` for no limit. */
  trickle: number;
}

const HEALTHY: Readonly<Faults> = {
  delay: 0,
  jitter: 0,
  refuse: false,
  halfOpen: undefined,
  holdReplies: false,
  dropReplies: 0,
  trickle: 0,
};

export interface ProxyOptions {
  /** Read the messages of the Redis protocol. @default false */
  messages?: boolean;
}

export async function startProxy(targetPort: number, options: ProxyOptions = {}): Promise<FaultProxy> {
  const proxy = new FaultProxy(targetPort, options);
  await proxy.listen();
  return proxy;
}

export class FaultProxy {
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #readsMessages: boolean;
  readonly #catches = new Set<Catch>();
  #faults: Faults = { ...HEALTHY };
  /** Connections accepted so far. */
  accepted = 0;
  /** Requests that came so far, if the proxy reads messages. */
  requests = 0;

  constructor(
    /** Where new connections go: change it for a failover. */
    public targetPort: number,
    { messages = false }: ProxyOptions = {},
  ) {
    this.#readsMessages = messages;
    this.#server = createServer((client) => this.#accept(client));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#connections.size;
  }

  delay(milliseconds: number, { jitter = 0 } = {}): void {
    Object.assign(this.#faults, { delay: milliseconds, jitter });
  }

  trickle(bytesPerMillisecond: number): void {
    this.#faults.trickle = bytesPerMillisecond;
  }

  halfOpen(which: Which = 'all'): void {
    this.#faults.halfOpen = which;
  }

  holdReplies(): void {
    this.#faults.holdReplies = true;
  }

  releaseReplies(): void {
    this.#faults.holdReplies = false;
    for (const connection of this.#connections) connection.releaseReplies();
  }

  /** The next pieces of replies vanish: messages if the proxy reads them, else chunks. */
  dropReplies(pieces = 1): void {
    this.#faults.dropReplies = pieces;
  }

  /** Closes connections; with `refuse`, new ones too until `heal()`. */
  cut({ refuse = false, which = 'all' }: { refuse?: boolean; which?: Which } = {}): void {
    this.#faults.refuse = refuse;
    for (const connection of this.#connections) if (concerns(which, connection)) connection.destroy();
  }

  /** Keeps the next message of this kind, and all that comes behind it on its connection, until `release()`. */
  hold(kind: MessageKind, match: Match, options?: CatchOptions): Catch {
    return this.#catch(kind, 'hold', match, options);
  }

  /** The next message of this kind vanishes. */
  drop(kind: MessageKind, match: Match, options?: CatchOptions): Catch {
    return this.#catch(kind, 'drop', match, options);
  }

  /** The next message of this kind comes twice. */
  double(kind: MessageKind, match: Match, options?: CatchOptions): Catch {
    return this.#catch(kind, 'double', match, options);
  }

  /** The next such reply comes behind the one that follows it. */
  swap(match: Match): Catch {
    return this.#catch('reply', 'swap', match);
  }

  /** Ends all faults. Bytes that vanished stay lost; held messages are delivered. */
  heal(): void {
    const wasHalfOpen = this.#faults.halfOpen !== undefined;
    this.#faults = { ...HEALTHY };
    for (const fault of [...this.#catches]) fault.release();
    this.releaseReplies();
    if (!wasHalfOpen) return;
    // What one side closed meanwhile the other one learns now.
    for (const connection of this.#connections) {
      if (connection.sockets.some((socket) => socket.destroyed)) connection.destroy();
    }
  }

  async close(): Promise<void> {
    this.#catches.clear();
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #catch(kind: MessageKind, fate: Fate, match: Match, options: CatchOptions = {}): Catch {
    if (!this.#readsMessages) throw new Error(`to ${fate} one ${kind} the proxy must be started with messages: true`);
    const made = new Catch(kind, fate, match, options, (ended) => void this.#catches.delete(ended));
    this.#catches.add(made);
    return made;
  }

  #accept(client: Socket): void {
    this.accepted++;
    if (this.#faults.refuse) return void client.destroy();
    const target = connect(this.targetPort, '127.0.0.1');
    const connection = new ProxiedConnection(client, target, this.#policy, this.#readsMessages);
    this.#connections.add(connection);
    for (const socket of connection.sockets) {
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        if (this.#swallows(connection)) return;
        connection.destroy();
        this.#connections.delete(connection);
      });
    }
  }

  #swallows(connection: ProxiedConnection): boolean {
    const { halfOpen } = this.#faults;
    return halfOpen !== undefined && concerns(halfOpen, connection);
  }

  readonly #policy: Policy = {
    swallows: (connection) => this.#swallows(connection),
    dropsReply: () => this.#faults.dropReplies > 0 && this.#faults.dropReplies-- > 0,
    holdsReplies: () => this.#faults.holdReplies,
    delay: () => this.#faults.delay + Math.random() * this.#faults.jitter,
    trickle: () => this.#faults.trickle,
    catchFor: (kind, words) => {
      if (kind === 'request') this.requests++;
      for (const fault of this.#catches) if (fault.wants(kind, words)) return fault;
      return undefined;
    },
  };
}

function concerns(which: Which, connection: ProxiedConnection): boolean {
  return which === 'all' || connection.isSubscribed === (which === 'bus');
}
