/** One key space: a namespace of the engine, with this isolate's decoded values of it and its running loads. */
import type { ReadMode } from '../../index';
import type { Answer } from './answer';
import type { Ages } from './ahead';
import type { Bulkhead } from './bulkhead';
import { byteLength, decodeOwn, undecodable, type Codec, type Encoded } from './codec';
import { Failures } from './failures';
import { HotSpace, type Captured } from './hot-tier';
import { KeptValue } from './kept-value';
import type { SharedLoad } from './load';
import { Status, Word, type ReadStatus } from './native';
import { decodedOutcome, type Outcome } from './outcome';
import { Condition } from './reports';
import type { Tiers } from './tiers';

/** More remembered reloads than this are forgotten: one too many is only a needless question to the engine. */
const MOST_REFRESHES = 10_000;
/** Two readings of one entry's end differ by the engine's clock ticks. */
const SAME_ENTRY_MS = 50;

export class Space {
  readonly id: number;
  readonly hot: HotSpace;
  /** The loads that may be joined, by key. */
  readonly loads = new Map<string, SharedLoad>();
  /** The reloads ahead of time, by key. */
  readonly reloads = new Map<string, SharedLoad>();
  /** Errors of loaders that are served for a while. */
  readonly failures = new Failures();
  /** Whether loads without a caller succeed. */
  readonly backgroundLoads: Condition;
  /** When the entry ends for which a reload ahead of time was asked, by key. */
  private readonly refreshes = new Map<string, number>();

  constructor(
    readonly tiers: Tiers,
    readonly path: string,
    readonly codec: Codec,
    readonly reads: ReadMode,
    readonly bulkhead: Bulkhead | null,
  ) {
    const { id, generationIndex } = tiers.session.openNamespace(path, codec.id);
    this.id = id;
    this.hot = new HotSpace(generationIndex);
    this.backgroundLoads = new Condition((error) => tiers.reports.error(error));
  }

  /** Reads L1. What was captured is in `tiers.session.answer` until the next read. */
  readMemory(key: string): ReadStatus {
    return this.tiers.session.read(this.id, key);
  }

  /** The value of a hit for one caller; the hot tier keeps it too. `undefined` when its bytes are damaged: a counted miss. */
  receive(key: string, answer: Answer): unknown {
    if (!this.tiers.hasHot && this.reads === 'copy') return this.decode(answer);
    const bytes = answer.word(Word.ValueBytes);
    const { freshFor, ...ages } = agesOf(answer);
    const captured = capturedIn(answer);
    const freshUntil = (this.tiers.hot.now() + freshFor) | 0;

    // Nothing is read from the answer behind this: a user's serializer may call the cache.
    const value = this.decode(answer);
    if (value === undefined) return value;
    const kept = KeptValue.of(value, this.reads, this.codec.isJson, bytes);
    if (kept === undefined) return value;
    if (freshFor > 0) this.tiers.hot.put(this.hot, key, { kept, captured, freshUntil, ...ages, bytes });
    return kept.take();
  }

  /** The value of a hit, or an old value, for any number of callers. `undefined` as in {@link receive}. */
  receiveForMany(key: string, answer: Answer): Outcome | undefined {
    const { freshFor, ...ages } = agesOf(answer);
    const captured = capturedIn(answer);
    const freshUntil = (this.tiers.hot.now() + freshFor) | 0;
    const isFresh = answer.status === Status.Hit && freshFor > 0;
    const bytes = Buffer.from(answer.value());

    try {
      const outcome = this.decodedForMany(key, this.codec.isJson ? bytes.toString() : bytes);
      if (isFresh && outcome instanceof KeptValue) {
        this.tiers.hot.put(this.hot, key, { kept: outcome, captured, freshUntil, ...ages, bytes: bytes.length });
      }
      return outcome;
    } catch {
      // Bytes that cannot be decoded are a miss, whoever wrote them (law 10).
      this.tiers.damaged++;
      return undefined;
    }
  }

  /** What a value has become by being stored, for any number of callers. Throws a `SerializationError`. */
  receiveOwn(key: string, encoded: Encoded): Outcome {
    const isPlain = this.reads === 'copy' && this.codec.isJson && typeof encoded === 'string' && isContainer(encoded);
    return isPlain ? KeptValue.ofText(encoded, this.codec) : this.decodedForMany(key, encoded);
  }

  /** `undefined` for damaged bytes. */
  decode(answer: Answer): unknown {
    try {
      const value = answer.decode(this.codec);
      if (value !== undefined) return value;
    } catch {
      // Counted below: bytes that cannot be decoded are a miss, whoever wrote them (law 10).
    }
    this.tiers.damaged++;
    return undefined;
  }

  /** Whether a reload ahead of time should be asked for an entry that ends then; `true` once an entry. */
  claimRefresh(key: string, freshUntil: number): boolean {
    const asked = this.refreshes.get(key);
    if (asked !== undefined && ((freshUntil - asked) | 0) <= SAME_ENTRY_MS) return false;
    if (this.refreshes.size >= MOST_REFRESHES) this.refreshes.clear();
    this.refreshes.set(key, freshUntil);
    return true;
  }

  private decodedForMany(key: string, encoded: Encoded): Outcome {
    const value = decodeOwn(this.codec, key, encoded);
    if (value === undefined) throw undecodable(this.codec, key);
    return (
      KeptValue.of(value, this.reads, this.codec.isJson, byteLength(encoded)) ??
      decodedOutcome(this.codec, key, encoded)
    );
  }
}

/** Whether a JSON text is that of an object or an array. */
function isContainer(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 0x7b || first === 0x5b;
}

export function capturedIn(answer: Answer): Captured {
  return {
    slot: answer.word(Word.Slot),
    generation: answer.word(Word.Generation),
    namespaceGeneration: answer.word(Word.NamespaceGeneration),
    tagPairs: answer.tagPairs(),
  };
}

export function agesOf(answer: Answer): Ages {
  return { ttl: answer.word(Word.Ttl), freshFor: answer.word(Word.FreshFor), loadTime: answer.word(Word.LoadTime) };
}
