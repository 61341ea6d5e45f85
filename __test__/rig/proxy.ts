/**
 * A TCP proxy that misbehaves on command. Point a client at `proxy.port`; the faults apply to bytes that arrive from then
 * on, on connections old and new, until `heal()`.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

type Direction = 'request' | 'reply';

interface Faults {
  /** Milliseconds that every chunk is late, in each direction. */
  delay: number;
  /** New connections are accepted and closed at once. */
  refuse: boolean;
  /** Nothing is forwarded in either direction, and nobody is told: a cable that was cut. */
  halfOpen: boolean;
  /** Replies wait until `releaseReplies()`; requests go through. */
  holdReplies: boolean;
  /** So many of the next reply chunks vanish. */
  dropReplies: number;
}

const HEALTHY: Readonly<Faults> = { delay: 0, refuse: false, halfOpen: false, holdReplies: false, dropReplies: 0 };

export async function startProxy(targetPort: number): Promise<FaultProxy> {
  const proxy = new FaultProxy(targetPort);
  await proxy.listen();
  return proxy;
}

export class FaultProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [client: Socket, target: Socket]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #faults: Faults = { ...HEALTHY };
  #held: (() => void)[] = [];
  /** Connections accepted so far. */
  accepted = 0;

  constructor(readonly targetPort: number) {
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
    return this.#pairs.size;
  }

  delay(milliseconds: number): void {
    this.#faults.delay = milliseconds;
  }

  halfOpen(): void {
    this.#faults.halfOpen = true;
  }

  holdReplies(): void {
    this.#faults.holdReplies = true;
  }

  releaseReplies(): void {
    this.#faults.holdReplies = false;
    this.#held.splice(0).forEach((deliver) => deliver());
  }

  dropReplies(chunks = 1): void {
    this.#faults.dropReplies = chunks;
  }

  /** Closes every connection; with `refuse`, new ones too until `heal()`. */
  cut({ refuse = false } = {}): void {
    this.#faults.refuse = refuse;
    for (const pair of this.#pairs) pair.forEach((socket) => socket.destroy());
  }

  /** Ends all faults. Bytes that vanished stay lost; held replies are delivered. */
  heal(): void {
    this.#faults = { ...HEALTHY };
    this.releaseReplies();
  }

  async close(): Promise<void> {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#held = [];
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.accepted++;
    if (this.#faults.refuse) return void client.destroy();
    const target = connect(this.targetPort, '127.0.0.1');
    const pair = [client, target] as const;
    this.#pairs.add(pair);
    this.#forward(client, target, 'request');
    this.#forward(target, client, 'reply');
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        this.#pairs.delete(pair);
        if (!this.#faults.halfOpen) pair.forEach((other) => other.destroy());
      });
    }
  }

  #forward(from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (chunk) => {
      if (this.#faults.halfOpen) return;
      const deliver = (): void => void (to.destroyed || to.write(chunk));
      if (direction === 'reply' && this.#faults.dropReplies > 0) return void this.#faults.dropReplies--;
      if (direction === 'reply' && this.#faults.holdReplies) return void this.#held.push(deliver);
      if (this.#faults.delay === 0) return deliver();
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        deliver();
      }, this.#faults.delay);
      this.#timers.add(timer);
    });
  }
}
