/** Entries of the hot tier in the order in which they came, of all namespaces of a manager. */

export interface Linked<Node> {
  /** SIEVE's bit. */
  visited: boolean;
  newer: Node | null;
  older: Node | null;
}

export class HotList<Node extends Linked<Node>> {
  newest: Node | null = null;
  oldest: Node | null = null;
  size = 0;
  /** Where the search for what may go continues. */
  private hand: Node | null = null;

  add(node: Node): void {
    node.older = this.newest;
    if (this.newest !== null) this.newest.newer = node;
    this.newest = node;
    this.oldest ??= node;
    this.size++;
  }

  /** It is in this list. */
  remove(node: Node): void {
    if (this.hand === node) this.hand = node.newer;
    if (node.newer === null) this.newest = node.older;
    else node.newer.older = node.older;
    if (node.older === null) this.oldest = node.newer;
    else node.older.newer = node.newer;
    node.newer = node.older = null;
    this.size--;
  }

  /** SIEVE's choice. The hand stays on it until it is removed. */
  victim(): Node | null {
    let node = this.hand ?? this.oldest;
    while (node !== null && node.visited) {
      node.visited = false;
      node = node.newer ?? this.oldest;
    }
    return (this.hand = node);
  }
}
