/** So many calls of all runs may be under way; who finds no place waits, and gets one in the order of coming. */
export class Places {
  readonly #waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Resolves when there is one. It must be left. */
  async take(): Promise<void> {
    if (this.free >= 1) this.free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.free += 1;
    else next();
  }
}
