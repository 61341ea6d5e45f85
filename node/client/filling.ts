/** A loaded value on its way into the tiers, under the lease that was given for it. */
import type { Answer } from './answer';
import type { Encoded } from './codec';
import type { Waiting } from './completions';
import { NEVER, type Captured } from './hot-tier';
import { KeptValue } from './kept-value';
import { Flag, Op, Status, Word } from './native';
import { errorCodeOf } from './native-errors';
import type { Outcome } from './outcome';
import type { Space } from './space';
import { encodeTags } from './tags';
import type { Lives } from './ttl-rule';

/** The engine's permission to store what is loaded: the lease, and what was captured when it was given. */
export interface Permit {
  readonly lease: number;
  readonly captured: Captured;
}

export interface LoadedValue extends Lives {
  readonly key: string;
  /** What callers of this isolate get. */
  readonly outcome: Outcome;
  /** `undefined`: the old value that came with the lease, for another life. */
  readonly encoded: Encoded | undefined;
  /** Of the encoded value. */
  readonly bytes: number;
  readonly tags: readonly string[];
  readonly grace: number;
  /** How long the loader took. */
  readonly loadTime: number;
}

/** Stores the value in every tier that the lease is good for; `ended` is told whether it was. */
export function fill(space: Space, value: LoadedValue, permit: Permit, ended: (stored: boolean) => void): void {
  const { key, encoded, ttl, memoryTtl, grace } = value;
  const { lease, captured } = permit;
  const freshUntil = (space.tiers.hot.now() + Math.min(memoryTtl, NEVER)) | 0;
  const where = { namespaceId: space.id, key, tags: encodeTags(value.tags), ttl, memoryTtl, grace, lease };
  space.tiers.session.send(
    encoded === undefined ? { op: Op.Renew, ...where } : { op: Op.Fill, value: encoded, ...where },
    new Filling(space, value, captured, freshUntil, ended),
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
    const { key, outcome, bytes, loadTime } = this.value;
    const stored = answer.status === Status.Done && answer.has(Flag.Yes);
    // Stored, but invalidated since: then the engine names no slot, and nobody keeps it.
    if (stored && outcome instanceof KeptValue && answer.word(Word.Slot) >= 0) {
      const captured = { ...this.captured, tagPairs: answer.tagPairs() };
      const ttl = Math.min(this.value.memoryTtl, NEVER);
      space.tiers.hot.putLoaded(space.hot, key, { kept: outcome, captured, freshUntil, ttl, loadTime, bytes });
    }
    if (answer.status === Status.Error && errorCodeOf(answer) === 'E_TURBOCACHE_REMOTE')
      space.tiers.watch?.failed(answer.value().toString());
    this.ended(stored);
  }

  abandon(): void {
    this.ended(false);
  }
}
