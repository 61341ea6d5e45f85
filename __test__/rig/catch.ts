/** A fault for one message that is still to come, and what becomes of it. */
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

export class Catch {
  /** Resolves when the message has come. */
  readonly caught: Promise<void>;
  isCaught = false;
  #tell!: () => void;
  #held: { line: Line; parcel: Parcel } | undefined;

  constructor(
    readonly kind: MessageKind,
    readonly fate: Fate,
    readonly match: Match,
    readonly forget: (caught: Catch) => void,
  ) {
    this.caught = new Promise((resolve) => (this.#tell = resolve));
  }

  /** Lets a held message go, with all that has come behind it; one that has not come yet will not be held. */
  release(): void {
    this.forget(this);
    this.#held?.line.release(this.#held.parcel);
    this.#held = undefined;
  }

  /** The message is here: does with it what is to be done. For `swap` the caller keeps it until the next one comes. */
  take(bytes: Buffer, line: Line): void {
    if (this.fate === 'hold') this.#held = { line, parcel: line.hold(bytes) };
    else this.forget(this);
    if (this.fate === 'double') line.add(Buffer.concat([bytes, bytes]));
    this.isCaught = true;
    this.#tell();
  }
}
