/** A loaded value on its way into the tiers, under the lease that was given for it. */
import type { Answer } from './answer';
import { byteLength, type Encoded } from './codec';
import type { Waiting } from './completions';
import { NEVER, type Captured } from './hot-tier';
import { KeptValue } from './kept-value';
import { Flag, Op, Status, Word } from './native';
import { errorCodeOf } from './native-errors';
import type { Outcome } from './outcome';
import type { Space } from './space';
import { encodeTags } from './tags';

/** The engine's permission to store what is loaded: the lease, and what was captured when it was given. */
export interface Permit {
  readonly lease: number;
  readonly captured: Captured;
}

export interface LoadedValue {
  readonly key: string;
  /** What callers of this isolate get. */
  readonly outcome: Outcome;
  readonly encoded: Encoded;
  readonly tags: readonly string[];
  /** Milliseconds; `Infinity` = never. */
  readonly ttl: number;
  readonly grace: number;
}

/** Stores the value in every tier that the lease is good for; `ended` is told whether it was. */
export function fill(space: Space, value: LoadedValue, permit: Permit, ended: (stored: boolean) => void): void {
  const { key, encoded, tags, ttl, grace } = value;
  const { lease } = permit;
  const freshUntil = (space.tiers.hot.now() + Math.min(ttl, NEVER)) | 0;
  space.tiers.session.send(
    { op: Op.Fill, namespaceId: space.id, key, value: encoded, tags: encodeTags(tags), ttl, grace, lease },
    new Filling(space, value, permit.captured, freshUntil, ended),
  );
}

class Filling implements Waiting {
  constructor(
    private readonly space: Space,
    private readonly value: LoadedValue,
    private readonly captured: Captured,
    private readonly freshUntil: number,
    private readonly ended: (stored: boolean) => void,
  ) {}

  settle(answer: Answer): void {
    const { space, freshUntil } = this;
    const { key, outcome, encoded, ttl } = this.value;
    const stored = answer.status === Status.Done && answer.has(Flag.Yes);
    // Stored, but invalidated since: then the engine names no slot, and nobody keeps it.
    if (stored && outcome instanceof KeptValue && answer.word(Word.Slot) >= 0) {
      const captured = { ...this.captured, tagPairs: answer.tagPairs() };
      const entry = { kept: outcome, captured, freshUntil, ttl: Math.min(ttl, NEVER), bytes: byteLength(encoded) };
      space.tiers.hot.put(space.hot, key, entry);
    }
    if (answer.status === Status.Error && errorCodeOf(answer) === 'E_TURBOCACHE_REMOTE')
      space.tiers.watch?.failed(answer.value().toString());
    this.ended(stored);
  }

  abandon(): void {
    this.ended(false);
  }
}
