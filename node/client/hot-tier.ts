/**
 * L0: decoded values in this isolate's heap. A hit costs a `Map.get` and a look at one word of the mirror of the generation
 * table; it leaves JavaScript never, and allocates only the copy.
 *
 * What is kept: only values whose generations the engine captured before it read them (law 1). A bump anywhere makes the
 * entry worthless at the very next look (law 3); removing it is mere cleaning up.
 *
 * The word is the pulse of the mirror: it moves behind each generation, and behind the clock. An entry that was current at
 * this pulse still is; at another one its generations are compared, and its end with the clock.
 *
 * What goes when it is full: SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024). One list, newest first, for all
 * namespaces of a manager; a hit only sets a bit; a hand walks from the oldest to the newest, spares each entry with the
 * bit once, and drops the first without it.
 *
 * What a loader has just brought is on trial, in a short list of its own, as in S3-FIFO (Yang et al., SOSP 2023): most of it
 * is never read again, and what goes soon is not carried on by the garbage collector, which costs more than the rest of a
 * miss. What was read while it was on trial stays. What was not is still in L1.
 */
import { HotList, type Linked } from './hot-list';
import type { KeptValue } from './kept-value';

/** Times in the engine's words are capped here; it also means "never". */
export const NEVER = 2 ** 30;
/** Of a number of hits: the rest by how many of them the pulse is read plainly. */
const PLAIN_HITS = 63;
/** Of words with 32 bits. */
const FAR = 2 ** 29;

/** What the engine captured before it read the value. */
export interface Captured {
  /** -1: the engine says that nobody may keep the value. */
  readonly slot: number;
  readonly generation: number;
  readonly namespaceGeneration: number;
  /** (mirror index, generation) of each tag, or `null`. */
  readonly tagPairs: Int32Array | null;
}

export interface HotEntry {
  readonly kept: KeptValue;
  readonly captured: Captured;
  /** On the engine's clock, wrapping at 32 bits. */
  readonly freshUntil: number;
  /** Milliseconds, at most {@link NEVER}. */
  readonly ttl: number;
  /** How long its loader took, in milliseconds; 0 = nobody knows. */
  readonly loadTime: number;
  /** Encoded size. */
  readonly bytes: number;
}

/** Indices of words of the mirror. */
export interface MirrorIndices {
  readonly clock: number;
  readonly pulse: number;
}

export interface HotLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** The entries of one namespace. */
export class HotSpace {
  readonly nodes = new Map<string, HotNode>();

  constructor(readonly generationIndex: number) {}
}

/** An entry in its namespace's map and in the list. */
export class HotNode implements Linked<HotNode> {
  visited = false;
  /** At which it was current, see {@link HotTier}. */
  pulse: number;
  list!: HotList<HotNode>;
  newer: HotNode | null = null;
  older: HotNode | null = null;

  readonly kept: KeptValue;
  readonly slot: number;
  readonly generation: number;
  readonly namespaceGeneration: number;
  readonly tagPairs: Int32Array | null;
  readonly freshUntil: number;
  readonly ttl: number;
  readonly loadTime: number;
  readonly bytes: number;

  constructor(
    readonly space: HotSpace,
    readonly key: string,
    entry: HotEntry,
    pulse: number,
  ) {
    this.pulse = pulse;
    this.kept = entry.kept;
    this.slot = entry.captured.slot;
    this.generation = entry.captured.generation;
    this.namespaceGeneration = entry.captured.namespaceGeneration;
    this.tagPairs = entry.captured.tagPairs;
    this.freshUntil = entry.freshUntil;
    this.ttl = entry.ttl;
    this.loadTime = entry.loadTime;
    this.bytes = entry.bytes;
  }
}

export class HotTier {
  hits = 0;
  misses = 0;
  evictions = 0;
  entries = 0;
  bytes = 0;
  private readonly clock: number;
  private readonly pulse: number;
  /** Where they stood at the last sweep. */
  private swept: { readonly clock: number; readonly pulse: number };
  private readonly main = new HotList<HotNode>();
  private readonly trial = new HotList<HotNode>();

  /** Limits of zero make a tier that holds nothing. */
  constructor(
    private readonly mirror: Int32Array,
    { clock, pulse }: MirrorIndices,
    private limits: HotLimits,
    /** Entries that may be on trial; 0 without an L1 that has them, too. */
    private readonly onTrial = 0,
  ) {
    this.clock = clock;
    this.pulse = pulse;
    this.swept = { clock: mirror[clock]!, pulse: mirror[pulse]! };
  }

  /** The engine's clock: milliseconds, wrapping at 32 bits. */
  now(): number {
    return Atomics.load(this.mirror, this.clock);
  }

  find(space: HotSpace, key: string): HotNode | undefined {
    const node = space.nodes.get(key);
    if (node === undefined) {
      this.misses++;
      return undefined;
    }
    if (this.isCurrent(node)) {
      node.visited = true;
      this.hits++;
      return node;
    }
    this.drop(node);
    this.misses++;
    return undefined;
  }

  /** The same for a caller who counts by himself. */
  hit(space: HotSpace, key: string): HotNode | undefined {
    const node = space.nodes.get(key);
    if (node === undefined || !this.isCurrent(node)) return undefined;
    node.visited = true;
    return node;
  }

  put(space: HotSpace, key: string, entry: HotEntry): void {
    this.add(space, key, entry, this.main);
  }

  /** The same for what a loader has just brought. */
  putLoaded(space: HotSpace, key: string, entry: HotEntry): void {
    if (this.onTrial === 0) return this.put(space, key, entry);
    this.add(space, key, entry, this.trial);
    if (this.trial.size > this.onTrial) this.endTrial(this.trial.oldest!);
  }

  remove(space: HotSpace, key: string): void {
    const node = space.nodes.get(key);
    if (node !== undefined) this.drop(node);
  }

  clear(space: HotSpace): void {
    for (const node of space.nodes.values()) this.drop(node);
  }

  /** Milliseconds until the entry is no longer fresh. */
  freshFor(node: HotNode): number {
    return (node.freshUntil - this.now()) | 0;
  }

  /** Drops everything and keeps nothing from now on. */
  close(): void {
    this.limits = { maxEntries: 0, maxBytes: 0 };
    for (const list of [this.main, this.trial]) while (list.newest !== null) this.drop(list.newest);
  }

  /**
   * Clock and pulse have 32 bits. An entry that nobody asked for since would look fresh again when the clock has gone half way round,
   * after 24 days, and current again when the pulse has gone all the way, after four billion bumps. So each is looked at when one of
   * the two has gone an eighth of it: to be called every few seconds.
   */
  sweepIfDue(): void {
    const { mirror, swept } = this;
    const isFar = (index: number, since: number): boolean => (mirror[index]! - since) >>> 0 >= FAR;
    if (isFar(this.clock, swept.clock) || isFar(this.pulse, swept.pulse)) this.sweep();
  }

  /** Drops what is no longer current. */
  sweep(): void {
    this.swept = { clock: this.mirror[this.clock]!, pulse: this.mirror[this.pulse]! };
    for (const list of [this.main, this.trial]) {
      for (let node = list.oldest; node !== null;) {
        const next: HotNode | null = node.newer;
        if (!this.isCurrent(node)) this.drop(node);
        node = next;
      }
    }
  }

  /**
   * Mostly the pulse is read plainly: a third of the time of a hit is the call of `Atomics.load`. Whoever knows of an invalidation,
   * from whatever has made him wait for it, reads behind it also plainly; and V8 reads shared memory each time. A compiler might
   * read once for a loop in which nothing but hits happens, and still be right: so each 64th hit that is counted reads atomically, which ends any such
   * loop of reads. At another pulse than the entry's everything is compared in the order of {@link isCurrentAt}.
   */
  private isCurrent(node: HotNode): boolean {
    if (node.pulse === this.mirror[this.pulse] && (this.hits & PLAIN_HITS) !== 0) return true;
    const pulse = Atomics.load(this.mirror, this.pulse);
    return node.pulse === pulse || this.isCurrentAt(node, pulse);
  }

  /**
   * The pulse was read atomically, what it stands for is read plainly behind it. The atomic load keeps the compiler from using
   * older readings for those that follow, and processors do not read ahead of it: each of them is as new as the call, which is
   * all that law 3 asks for. Whatever is bumped behind it moves the pulse on.
   */
  private isCurrentAt(node: HotNode, pulse: number): boolean {
    const mirror = this.mirror;
    const isCurrent =
      mirror[node.slot] === node.generation &&
      mirror[node.space.generationIndex] === node.namespaceGeneration &&
      ((node.freshUntil - mirror[this.clock]!) | 0) > 0 &&
      (node.tagPairs === null || pairsStand(mirror, node.tagPairs));
    if (isCurrent) node.pulse = pulse;
    return isCurrent;
  }

  private add(space: HotSpace, key: string, entry: HotEntry, list: HotList<HotNode>): void {
    this.remove(space, key);
    const { maxEntries, maxBytes } = this.limits;
    if (entry.captured.slot < 0 || maxEntries === 0 || entry.bytes > maxBytes) return;
    while (this.entries >= maxEntries || this.bytes + entry.bytes > maxBytes) this.evict();

    // Not current at any pulse yet.
    const node = new HotNode(space, key, entry, (this.mirror[this.pulse]! - 1) | 0);
    node.list = list;
    list.add(node);
    space.nodes.set(key, node);
    this.entries++;
    this.bytes += node.bytes;
  }

  private evict(): void {
    const node = this.main.victim() ?? this.trial.oldest;
    if (node === null) return;
    this.drop(node);
    this.evictions++;
  }

  private endTrial(node: HotNode): void {
    if (node.visited) {
      node.visited = false;
      this.trial.remove(node);
      node.list = this.main;
      this.main.add(node);
    } else {
      this.drop(node);
      this.evictions++;
    }
  }

  private drop(node: HotNode): void {
    node.list.remove(node);
    node.space.nodes.delete(node.key);
    this.entries--;
    this.bytes -= node.bytes;
  }
}

/** Behind an atomic load, see `isCurrentAt`. */
function pairsStand(mirror: Int32Array, pairs: Int32Array): boolean {
  for (let index = 0; index < pairs.length; index += 2) {
    if (mirror[pairs[index]!] !== pairs[index + 1]) return false;
  }
  return true;
}
