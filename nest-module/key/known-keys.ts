/**
 * The keys of the values that a method is asked for again and again: a key that is found by its value is neither put together
 * nor hashed anew, which are a tenth of a hit of an id and a fifth of one of a name. It is only a matter of speed: the key of
 * a value is always the same one.
 */

/** Of ids and of names each; a power of two. Some 80 bytes each. */
const MOST = 1_024;
/** Longer names are no usual ones, and not worth the memory. */
const LONGEST = 40;
/** When so many found no room, all make room for those that are asked for now. */
const PATIENCE = 16 * MOST;
const NO_ID = -1;

export class KnownKeys {
  // An id has one place, which it shares with others: who comes last has it.
  private ids: number[] | undefined;
  private keysOfIds: string[] | undefined;
  private readonly keysOfNames = new Map<unknown, string>();
  private turnedAway = 0;

  /** `before`: how much of each key stands before the value. */
  constructor(private readonly before: number) {}

  of(value: unknown): string | undefined {
    if (!isId(value)) return this.keysOfNames.get(value);
    const place = value & (MOST - 1);
    return this.ids !== undefined && this.ids[place] === value ? this.keysOfIds![place] : undefined;
  }

  remember(value: unknown, key: string): void {
    if (isId(value)) this.rememberId(value, key);
    else if (typeof value === 'string' && value.length <= LONGEST) this.rememberName(value, key);
  }

  private rememberId(id: number, key: string): void {
    // Most of the decorated methods of a program are asked for no id.
    this.ids ??= new Array<number>(MOST).fill(NO_ID);
    this.keysOfIds ??= new Array<string>(MOST).fill('');
    const place = id & (MOST - 1);
    this.ids[place] = id;
    this.keysOfIds[place] = key;
  }

  private rememberName(value: string, key: string): void {
    if (this.keysOfNames.size >= MOST) {
      if (++this.turnedAway < PATIENCE) return;
      this.keysOfNames.clear();
      this.turnedAway = 0;
    }
    // Not the caller's own text: it may be a part of a large one, which would be kept with it.
    const name = key.slice(this.before, this.before + value.length);
    if (name === value) this.keysOfNames.set(name, key);
  }
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
