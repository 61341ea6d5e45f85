/**
 * Reads Redis streams from a place on: what is written while the connection is away is read when it is back. Nothing is
 * acknowledged and no group is needed: each process reads everything, because each has a memory of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** ioredis and iovalkey. */
export interface IoredisStreamClient {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** `redis` (node-redis 4 and later). */
export interface NodeRedisStreamClient {
  sendCommand(args: string[]): Promise<unknown>;
}

/** A connection of its own: it waits for entries, and is good for nothing else meanwhile. It stays yours. */
export type StreamClient = IoredisStreamClient | NodeRedisStreamClient;

export interface StreamEntry {
  readonly id: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
}

export interface StreamHandlers {
  onEntry(stream: string, entry: StreamEntry): void;
  /** Entries of this stream were removed before they could be read. */
  onGap(stream: string): void;
  /** Once a time that it cannot be read. */
  onFailure(cause: unknown): void;
}

/** How long one question waits in Redis, and the pause after one that failed, in milliseconds. */
const BLOCK = 1_000;
const PAUSE = 250;
const ENTRIES = 100;

type Command = (...words: string[]) => Promise<unknown>;

export class StreamReader {
  readonly #command: Command;
  /** The last entry that was seen of each stream; none is known yet at the very beginning. */
  readonly #places = new Map<string, string>();
  readonly #ending = new AbortController();

  constructor(
    client: StreamClient,
    private readonly streams: readonly string[],
    private readonly handlers: StreamHandlers,
  ) {
    this.#command = commandOf(client);
  }

  /** From now on, until the end. Resolves then. */
  async read(): Promise<void> {
    let failed = false;
    while (!this.#hasEnded()) {
      try {
        if (failed || this.#places.size === 0) await this.#look();
        failed = false;
        await this.#next();
      } catch (cause) {
        if (!failed && !this.#hasEnded()) this.handlers.onFailure(cause);
        failed = true;
        await sleep(PAUSE, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined);
      }
    }
  }

  /** Nothing is handed over any more. Does not wait for Redis. */
  end(): void {
    this.#ending.abort();
  }

  #hasEnded(): boolean {
    return this.#ending.signal.aborted;
  }

  /** The ends of the streams at first; later, whether what was last seen of them is still there. */
  async #look(): Promise<void> {
    for (const stream of this.streams) {
      const known = this.#places.get(stream);
      if (known !== undefined && (known === NOTHING || (await this.#has(stream, known)))) continue;
      const [last] = entriesOf(await this.#command('XREVRANGE', stream, '+', '-', 'COUNT', '1'));
      this.#places.set(stream, last?.id ?? NOTHING);
      if (known !== undefined) this.handlers.onGap(stream);
    }
  }

  async #has(stream: string, id: string): Promise<boolean> {
    return entriesOf(await this.#command('XRANGE', stream, id, id)).length > 0;
  }

  async #next(): Promise<void> {
    const places = this.streams.map((stream) => this.#places.get(stream) ?? NOTHING);
    const words = ['COUNT', `${ENTRIES}`, 'BLOCK', `${BLOCK}`, 'STREAMS', ...this.streams, ...places];
    const answer = await this.#command('XREAD', ...words);
    for (const [stream, entries] of streamsOf(answer)) {
      for (const entry of entries) {
        if (this.#hasEnded()) return;
        this.#places.set(stream, entry.id);
        this.handlers.onEntry(stream, entry);
      }
    }
  }
}

/** Before the first entry. */
const NOTHING = '0-0';

export function isStreamClient(value: unknown): value is StreamClient {
  const { call, sendCommand } = (value ?? {}) as Partial<Record<'call' | 'sendCommand', unknown>>;
  return typeof call === 'function' || typeof sendCommand === 'function';
}

function commandOf(client: StreamClient): Command {
  // ioredis has a `sendCommand` too, which takes something else.
  if ('call' in client && typeof client.call === 'function') return (name, ...args) => client.call(name, ...args);
  return (...words) => (client as NodeRedisStreamClient).sendCommand(words);
}

/** A list of streams in RESP2, names and entries in RESP3; `null` when nothing came. */
function streamsOf(answer: unknown): [string, StreamEntry[]][] {
  if (answer === null || answer === undefined) return [];
  if (answer instanceof Map) return [...answer].map(([name, entries]) => [String(name), entriesOf(entries)]);
  if (Array.isArray(answer)) {
    return (answer as unknown[][]).map(([name, entries]) => [String(name), entriesOf(entries)]);
  }
  return Object.entries(answer).map(([name, entries]) => [name, entriesOf(entries)]);
}

function entriesOf(answer: unknown): StreamEntry[] {
  if (!Array.isArray(answer)) return [];
  return (answer as [unknown, unknown[] | null][]).map(([id, fields]) => ({
    id: String(id),
    fields: (fields ?? []).map(String),
  }));
}
