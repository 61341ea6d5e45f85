/** Messages on Redis channels: parsed, judged, applied. Nothing that a message says can throw here. */
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { InvalidArgumentError, TurboCacheError } from '../client';
import { checkEviction, type Eviction } from '../eviction/eviction';
import { TurboCacheEvents } from './events';
import { CHECKED_OPTIONS } from './events.tokens';
import type { CheckedChannels, CheckedEventsOptions } from './events-options';
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
    const channels = this.#channels;
    if (channels === undefined) return;
    for (const [channel, rules] of channels.on) {
      for (const rule of rules === 'eviction' ? [{ cache: undefined }] : rules) this.events.check(channel, rule);
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
      this.events.failed([...channels.on.keys()].join(', '), asError('The channels could not be subscribed to', cause));
    }
  }

  /** First listens again, then clears: what is said from here on is heard. */
  async #afterGap(own: Subscription, channels: CheckedChannels): Promise<void> {
    const [channel = ''] = channels.on.keys();
    try {
      await own.begin();
    } catch (cause) {
      this.events.failed(channel, asError('The channels could not be subscribed to again', cause));
    }
    const caches = new Set<string | undefined>(channels.caches);
    for (const rules of channels.on.values()) {
      if (rules === 'eviction') caches.add(undefined);
      else for (const { cache } of rules) caches.add(cache);
    }
    const all = [...caches].map((cache) => ({ ...(cache === undefined ? {} : { cache }), all: true }));
    await Promise.all(all.map((eviction) => this.events.evict(`${channel} (after a gap)`, eviction)));
  }

  async #receive(channels: CheckedChannels, channel: string, message: string): Promise<void> {
    const rules = channels.on.get(channel);
    if (rules === undefined) return;
    try {
      const payload = parse(channel, message);
      if (rules === 'eviction') await this.events.evict(channel, allowed(payload, channel, channels.caches));
      else await this.events.apply({ event: channel, payload }, rules);
    } catch (error) {
      this.events.malformed(channel, error as TurboCacheError);
    }
  }
}

function parse(channel: string, message: string): unknown {
  try {
    return JSON.parse(message);
  } catch (cause) {
    const expected = 'JSON';
    throw new InvalidArgumentError(
      'E_TURBOCACHE_ARGUMENT',
      `A message on "${channel}" is ${message.length} characters that are not JSON; expected ${expected}.`,
      { option: 'message', expected, cause },
    );
  }
}

/** A name nobody declared would make a cache: whoever may publish could make as many as he likes. */
function allowed(payload: unknown, channel: string, caches: ReadonlySet<string>): Eviction {
  const eviction = checkEviction(payload, `A message on "${channel}"`);
  if (eviction.cache === undefined || caches.has(eviction.cache)) return eviction;
  const expected = `one of ${[...caches].join(', ') || 'no cache at all'} (channels.caches)`;
  throw new InvalidArgumentError(
    'E_TURBOCACHE_ARGUMENT',
    `A message on "${channel}" names the cache "${eviction.cache}"; expected ${expected}.`,
    { option: 'cache', got: eviction.cache, expected },
  );
}

function asError(what: string, cause: unknown): TurboCacheError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new TurboCacheError('E_TURBOCACHE_REMOTE', `${what}: ${text}`, { cause });
}
