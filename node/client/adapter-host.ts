/** Answers the engine's batches for a remote tier that lives in JavaScript. The adapter only moves bytes. */
import type { AdapterEntry, ICacheAdapter } from '../../index';
import type { Answer } from './answer';
import { AdapterItem, Word } from './native';

export type Reply = (batchId: number, items: Uint8Array | null, error: string | null) => void;

interface Item {
  readonly kind: AdapterItem;
  readonly key: string;
  readonly value: Uint8Array;
  readonly ttl: number | null;
}

/** What an item is answered with. */
interface Result {
  readonly yes: boolean;
  readonly entry?: AdapterEntry;
}

const ITEM_HEADER = 24;
const RESULT_HEADER = 16;
const NO: Result = { yes: false };
const YES: Result = { yes: true };

export class AdapterHost {
  constructor(
    private readonly adapter: ICacheAdapter | undefined,
    private readonly reply: Reply,
  ) {}

  /** Copies the batch and answers it later; never throws. */
  handle(answer: Answer): void {
    const batchId = answer.word(Word.RequestId);
    const items = decodeItems(Buffer.from(answer.value()));
    this.run(items).then(
      (results) => this.reply(batchId, encodeResults(results), null),
      (error: unknown) => this.reply(batchId, null, error instanceof Error ? error.message : String(error)),
    );
  }

  /** Runs of items of one kind are one call; order is kept. */
  private async run(items: readonly Item[]): Promise<Result[]> {
    if (this.adapter === undefined) throw new Error('this manager has no adapter');
    const results: Result[] = [];
    for (let from = 0; from < items.length;) {
      const kind = items[from]!.kind;
      let to = from + 1;
      while (to < items.length && items[to]!.kind === kind) to++;
      results.push(...(await runKind(this.adapter, kind, items.slice(from, to))));
      from = to;
    }
    return results;
  }
}

async function runKind(adapter: ICacheAdapter, kind: AdapterItem, items: readonly Item[]): Promise<Result[]> {
  const keys = items.map((item) => item.key);
  switch (kind) {
    case AdapterItem.Get: {
      const entries = await adapter.getMany(keys);
      checkCount(adapter, 'getMany', entries, keys.length);
      return entries.map((entry) => foundOrNot(adapter, entry));
    }
    case AdapterItem.Set:
      await adapter.setMany(items.map(({ key, value, ttl }) => ({ key, value, ttl })));
      return items.map(() => YES);
    case AdapterItem.Delete: {
      const removed = await adapter.deleteMany(keys);
      checkCount(adapter, 'deleteMany', removed, keys.length);
      return removed.map((yes) => ({ yes }));
    }
  }
}

function checkCount(adapter: ICacheAdapter, method: string, got: readonly unknown[], expected: number): void {
  if (!Array.isArray(got) || got.length !== expected) {
    throw new Error(
      `${method} of the adapter '${adapter.name}' gave ${Array.isArray(got) ? got.length : typeof got} answers; expected ${expected}`,
    );
  }
}

function foundOrNot(adapter: ICacheAdapter, entry: AdapterEntry | undefined | null): Result {
  if (entry === undefined || entry === null) return NO;
  if (entry.value instanceof Uint8Array && entry.ttl === null) return { yes: true, entry };
  // An adapter whose clock ran on between its check and its answer: expired is a miss.
  if (entry.value instanceof Uint8Array && typeof entry.ttl === 'number')
    return entry.ttl > 0 ? { yes: true, entry } : NO;
  throw new Error(
    `getMany of the adapter '${adapter.name}' gave an entry that is not { value: Uint8Array, ttl: number | null }`,
  );
}

function decodeItems(bytes: Buffer): Item[] {
  const items: Item[] = [];
  for (let at = 0; at + ITEM_HEADER <= bytes.length;) {
    const keyStart = at + ITEM_HEADER;
    const valueStart = keyStart + bytes.readUInt32LE(at + 4);
    const end = valueStart + bytes.readUInt32LE(at + 8);
    const ttl = bytes.readDoubleLE(at + 16);
    items.push({
      kind: bytes.readUInt32LE(at),
      key: bytes.toString('utf8', keyStart, valueStart),
      // A copy of its own: an adapter may keep it, and would keep the whole batch with a view.
      value: new Uint8Array(bytes.subarray(valueStart, end)),
      ttl: ttl === Infinity ? null : ttl,
    });
    at = (end + 7) & ~7;
  }
  return items;
}

function encodeResults(results: readonly Result[]): Uint8Array {
  const sizes = results.map(({ entry }) => (RESULT_HEADER + (entry?.value.length ?? 0) + 7) & ~7);
  const bytes = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const [index, { yes, entry }] of results.entries()) {
    bytes.writeInt32LE(yes ? 1 : 0, at);
    bytes.writeUInt32LE(entry?.value.length ?? 0, at + 4);
    bytes.writeDoubleLE(entry?.ttl ?? Infinity, at + 8);
    if (entry !== undefined) bytes.set(entry.value, at + RESULT_HEADER);
    at += sizes[index]!;
  }
  return bytes;
}
