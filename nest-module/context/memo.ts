/** What one request has computed already, whatever the cache says. It goes with the request. */
export class Memo {
  readonly #results = new Map<string, unknown>();

  has(key: string): boolean {
    return this.#results.has(key);
  }

  get(key: string): unknown {
    return this.#results.get(key);
  }

  set(key: string, result: unknown): void {
    this.#results.set(key, result);
  }

  /** Drops one result, if it is still this one. */
  drop(key: string, result: unknown): void {
    if (this.#results.get(key) === result) this.#results.delete(key);
  }

  /** This request has changed what the key stands for, or, without a key, nobody knows what. */
  forget(key?: string): void {
    if (key === undefined) this.#results.clear();
    else this.#results.delete(key);
  }
}
