/** A fault for a message that is still to come, or for every one until it ends, and what becomes of them. */
import type { Line, Parcel } from './line';

/** `push`: what Redis sends unasked, messages of a subscription and of client tracking. */
export type MessageKind = 'request' | 'reply' | 'push';

/** Chooses by the words of a request, of the request that a reply answers, or of a push. Bytes are latin1. */
export type Match = (words: readonly string[]) => boolean;

export type Fate = 'hold' | 'drop' | 'double' | 'swap';

/** Matches the messages in which each of the texts stands somewhere. */
export const mentions =
  (...texts: readonly string[]): Match =>
  (words) =>
    texts.every((text) => words.some((word) => word.includes(text)));

/** Like {@link mentions}, for commands of these names. */
export const commands = (names: readonly string[], ...texts: readonly string[]): Match => {
  const match = mentions(...texts);
  return (words) => names.includes(words[0]?.toUpperCase() ?? '') && match(words);
};

export interface CatchOptions {
  /** Every such message until `release()`, not only the next one. @default false */
  every?: boolean;
}

export class Catch {
  /** Resolves when the first such message has come. */
  readonly caught: Promise<void>;
  isCaught = false;
  #tell!: () => void;
  #held: { line: Line; parcel: Parcel }[] = [];

  constructor(
    readonly kind: MessageKind,
    readonly fate: Fate,
    readonly match: Match,
    readonly options: CatchOptions,
    readonly forget: (caught: Catch) => void,
  ) {
    this.caught = new Promise((resolve) => (this.#tell = resolve));
  }

  /** Whether it waits for such a message. */
  wants(kind: MessageKind, words: readonly string[]): boolean {
    return (!this.isCaught || this.options.every === true) && this.kind === kind && this.match(words);
  }

  /** Whether a message was held behind one that `other` holds, on the same connection. */
  isBehind(other: Catch): boolean {
    return this.#held.some(({ line }) => other.#held.some((held) => held.line === line));
  }

  /** Ends it: what is held goes, with all that has come behind it; what has not come yet will be left alone. */
  release(): void {
    this.forget(this);
    this.#held.splice(0).forEach(({ line, parcel }) => line.release(parcel));
  }

  /** The message is here: does with it what is to be done. For `swap` the caller keeps it until the next one comes. */
  take(bytes: Buffer, line: Line): void {
    if (this.fate === 'hold') this.#held.push({ line, parcel: line.hold(bytes) });
    else if (this.options.every !== true) this.forget(this);
    if (this.fate === 'double') line.add(Buffer.concat([bytes, bytes]));
    this.isCaught = true;
    this.#tell();
  }
}
