/** Somebody else's Redis connection, by the little of it that is used: both clients that Node services have. */

/** ioredis and iovalkey. */
export interface IoredisSubscriber {
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
  off(event: 'message', listener: (channel: string, message: string) => void): unknown;
  off(event: 'ready', listener: () => void): unknown;
  /** `ready`: it is connected now. */
  readonly status?: string;
}

/** `redis` (node-redis 4 and later). */
export interface NodeRedisSubscriber {
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>;
  unsubscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>;
  pSubscribe(...args: never[]): unknown;
  on(event: 'ready', listener: () => void): unknown;
  off(event: 'ready', listener: () => void): unknown;
  /** `true`: it is connected now. */
  readonly isReady?: boolean;
}

/** A connection of its own, as Redis demands for subscriptions. It stays yours: connect it, and end it. */
export type ChannelSubscriber = IoredisSubscriber | NodeRedisSubscriber;

export type OnMessage = (channel: string, message: string) => void;

/** A subscription that can be renewed and ended, whichever client carries it. */
export interface Subscription {
  /** Asks the server; resolves when it has agreed to every channel. May be asked again after the connection was lost. */
  begin(): Promise<void>;
  /** Told each time the connection is there again; not when it comes for the first time. */
  onReconnected(listener: () => void): void;
  /** Nothing is handed over any more. Does not wait for the server: an application ends without it, too. */
  end(): void;
}

export function subscription(
  subscriber: ChannelSubscriber,
  channels: readonly string[],
  onMessage: OnMessage,
): Subscription {
  return isNodeRedis(subscriber)
    ? new NodeRedisSubscription(subscriber, channels, onMessage)
    : new IoredisSubscription(subscriber, channels, onMessage);
}

/** `true` for anything that can be subscribed with. */
export function isSubscriber(value: unknown): value is ChannelSubscriber {
  const methods = ['subscribe', 'unsubscribe', 'on', 'off'];
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  );
}

/** ioredis spells it `psubscribe`. */
function isNodeRedis(subscriber: ChannelSubscriber): subscriber is NodeRedisSubscriber {
  return 'pSubscribe' in subscriber;
}

class IoredisSubscription implements Subscription {
  readonly #channels: ReadonlySet<string>;
  readonly #listener: OnMessage;
  #ready: (() => void) | undefined;

  constructor(
    private readonly subscriber: IoredisSubscriber,
    channels: readonly string[],
    onMessage: OnMessage,
  ) {
    this.#channels = new Set(channels);
    // The connection may carry other subscriptions too.
    this.#listener = (channel, message) => {
      if (this.#channels.has(channel)) onMessage(channel, message);
    };
    subscriber.on('message', this.#listener);
  }

  async begin(): Promise<void> {
    await this.subscriber.subscribe(...this.#channels);
  }

  onReconnected(listener: () => void): void {
    this.#ready = exceptFirst(this.subscriber.status === 'ready', listener);
    this.subscriber.on('ready', this.#ready);
  }

  end(): void {
    this.subscriber.off('message', this.#listener);
    if (this.#ready !== undefined) this.subscriber.off('ready', this.#ready);
    forget(this.subscriber.unsubscribe(...this.#channels));
  }
}

class NodeRedisSubscription implements Subscription {
  readonly #listener: (message: string, channel: string) => void;
  #ready: (() => void) | undefined;
  #ended = false;

  constructor(
    private readonly subscriber: NodeRedisSubscriber,
    private readonly channels: readonly string[],
    onMessage: OnMessage,
  ) {
    // The client keeps the listener until the server has answered the end of the subscription.
    this.#listener = (message, channel) => {
      if (!this.#ended) onMessage(channel, message);
    };
  }

  async begin(): Promise<void> {
    await Promise.all(this.channels.map((channel) => this.subscriber.subscribe(channel, this.#listener)));
  }

  onReconnected(listener: () => void): void {
    this.#ready = exceptFirst(this.subscriber.isReady === true, listener);
    this.subscriber.on('ready', this.#ready);
  }

  end(): void {
    this.#ended = true;
    if (this.#ready !== undefined) this.subscriber.off('ready', this.#ready);
    for (const channel of this.channels) forget(this.subscriber.unsubscribe(channel, this.#listener));
  }
}

function exceptFirst(connected: boolean, listener: () => void): () => void {
  let known = connected;
  return () => {
    if (known) listener();
    known = true;
  };
}

/** Where the connection is gone, the subscription is gone with it. */
function forget(work: Promise<unknown>): void {
  work.catch(() => {});
}
