/** Entries of Redis streams: parsed, judged, applied. Nothing that an entry says can throw here. */
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { TurboCacheError } from '../client';
import { TurboCacheEvents } from './events';
import { CHECKED_OPTIONS } from './events.tokens';
import type { CheckedEventsOptions, CheckedStreams } from './events-options';
import { allowedEviction, parseMessage } from './message';
import { answeringFor, droppedFrom } from './rule';
import { type StreamEntry, StreamReader } from './stream-reader';

@Injectable()
export class StreamListener implements OnModuleInit, OnModuleDestroy {
  readonly #streams: CheckedStreams | undefined;
  #reader: StreamReader | undefined;

  constructor(
    @Inject(CHECKED_OPTIONS) { streams }: CheckedEventsOptions,
    @Inject(TurboCacheEvents) private readonly events: TurboCacheEvents,
  ) {
    this.#streams = streams;
  }

  /** Does not wait for Redis: an application starts without it. */
  onModuleInit(): void {
    if (this.#streams === undefined) return;
    const streams = { ...this.#streams, caches: this.events.speakable(this.#streams.caches) };
    for (const [stream, rules] of streams.on) {
      for (const cache of answeringFor(rules, streams.caches)) this.events.check(stream, { cache });
    }
    this.#reader = new StreamReader(streams.client, [...streams.on.keys()], {
      onEntry: (stream, entry) => void this.#receive(streams, stream, entry),
      onGap: (stream) => void this.#afterGap(streams, stream),
      onFailure: (cause) => {
        this.events.failed(
          [...streams.on.keys()].join(', '),
          asError(cause),
          [...streams.on.values()].flatMap((rules) => answeringFor(rules, streams.caches)),
        );
      },
    });
    void this.#reader.read();
  }

  async onModuleDestroy(): Promise<void> {
    this.#reader?.end();
    await this.events.settled();
  }

  async #receive(streams: CheckedStreams, stream: string, entry: StreamEntry): Promise<void> {
    const rules = streams.on.get(stream);
    if (rules === undefined) return;
    try {
      const payload = payloadOf(stream, entry, streams.field);
      if (rules === 'eviction') await this.events.evict(stream, allowedEviction(payload, stream, streams.caches));
      else await this.events.apply({ event: stream, payload }, rules);
    } catch (error) {
      this.events.malformed(stream, error as TurboCacheError, answeringFor(rules, streams.caches));
    }
  }

  /** Nobody knows what the missing entries said. */
  async #afterGap(streams: CheckedStreams, stream: string): Promise<void> {
    const caches = new Set(droppedFrom(streams.on.get(stream) ?? [], streams.caches));
    const all = [...caches].map((cache) => ({ ...(cache === undefined ? {} : { cache }), all: true }));
    await Promise.all(all.map((eviction) => this.events.evict(`${stream} (after a gap)`, eviction)));
  }
}

/** The JSON in the field that holds it; without such a field all fields, as texts. */
function payloadOf(stream: string, { fields }: StreamEntry, field: string): unknown {
  const texts: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let at = 0; at + 1 < fields.length; at += 2) texts[fields[at]!] = fields[at + 1]!;
  const json = texts[field];
  return json === undefined ? { ...texts } : parseMessage(stream, json);
}

function asError(cause: unknown): TurboCacheError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new TurboCacheError('E_TURBOCACHE_REMOTE', `The streams could not be read: ${text}`, { cause });
}
