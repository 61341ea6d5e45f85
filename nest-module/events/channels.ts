/** Messages on Redis channels: parsed, judged, applied. Nothing that a message says can throw here. */
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { TurboCacheError } from '../client';
import { TurboCacheEvents } from './events';
import { CHECKED_OPTIONS } from './events.tokens';
import type { CheckedChannels, CheckedEventsOptions } from './events-options';
import { allowedEviction, parseMessage } from './message';
import { answeringFor, droppedFrom } from './rule';
import { type Subscription, subscription } from './subscriber';

@Injectable()
export class ChannelListener implements OnModuleInit, OnModuleDestroy {
  readonly #channels: CheckedChannels | undefined;
  #subscription: Subscription | undefined;

  constructor(
    @Inject(CHECKED_OPTIONS) { channels }: CheckedEventsOptions,
    @Inject(TurboCacheEvents) private readonly events: TurboCacheEvents,
  ) {
    this.#channels = channels;
  }

  /** Does not wait for Redis: an application starts without it, and a client that reconnects subscribes then. */
  onModuleInit(): void {
    if (this.#channels === undefined) return;
    const channels = { ...this.#channels, caches: this.events.speakable(this.#channels.caches) };
    for (const [channel, rules] of channels.on) {
      for (const cache of answeringFor(rules, channels.caches)) this.events.check(channel, { cache });
    }
    const names = [...channels.on.keys()];
    this.#subscription = subscription(channels.subscriber, names, (channel, message) => {
      void this.#receive(channels, channel, message);
    });
    const own = this.#subscription;
    if (channels.afterGap === 'clear') own.onReconnected(() => void this.#afterGap(own, channels));
    void this.#begin(own, channels);
  }

  async onModuleDestroy(): Promise<void> {
    this.#subscription?.end();
    await this.events.settled();
  }

  async #begin(own: Subscription, channels: CheckedChannels): Promise<void> {
    try {
      await own.begin();
    } catch (cause) {
      const error = asError('The channels could not be subscribed to', cause);
      this.events.failed([...channels.on.keys()].join(', '), error, owners(channels));
    }
  }

  /** First listens again, then clears: what is said from here on is heard. */
  async #afterGap(own: Subscription, channels: CheckedChannels): Promise<void> {
    const [channel = ''] = channels.on.keys();
    try {
      await own.begin();
    } catch (cause) {
      const error = asError('The channels could not be subscribed to again', cause);
      this.events.failed(channel, error, owners(channels));
    }
    const caches = new Set([...channels.on.values()].flatMap((rules) => droppedFrom(rules, channels.caches)));
    const all = [...caches].map((cache) => ({ ...(cache === undefined ? {} : { cache }), all: true }));
    await Promise.all(all.map((eviction) => this.events.evict(`${channel} (after a gap)`, eviction)));
  }

  async #receive(channels: CheckedChannels, channel: string, message: string): Promise<void> {
    const rules = channels.on.get(channel);
    if (rules === undefined) return;
    try {
      const payload = parseMessage(channel, message);
      if (rules === 'eviction') await this.events.evict(channel, allowedEviction(payload, channel, channels.caches));
      else await this.events.apply({ event: channel, payload }, rules);
    } catch (error) {
      this.events.malformed(channel, error as TurboCacheError, answeringFor(rules, channels.caches));
    }
  }
}

function owners({ on, caches }: CheckedChannels): (string | undefined)[] {
  return [...on.values()].flatMap((rules) => answeringFor(rules, caches));
}

function asError(what: string, cause: unknown): TurboCacheError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new TurboCacheError('E_TURBOCACHE_REMOTE', `${what}: ${text}`, { cause });
}
