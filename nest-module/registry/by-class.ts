/** What decorators have written down, by class. */
export class ByClass<Item> {
  readonly #items = new WeakMap<object, Item[]>();

  add(prototype: object, item: Item): void {
    const present = this.#items.get(prototype);
    if (present === undefined) this.#items.set(prototype, [item]);
    else present.push(item);
  }

  /** All of a class, and behind them those of the classes it extends. */
  of(prototype: object | null): Item[] {
    const found: Item[] = [];
    for (let level = prototype; level !== null; level = Object.getPrototypeOf(level) as object | null) {
      found.push(...(this.#items.get(level) ?? []));
    }
    return found;
  }
}
