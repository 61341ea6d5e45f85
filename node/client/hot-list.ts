/** Entries of the hot tier in the order in which they came, of all namespaces of a manager. */
import type { HotNode } from './hot-tier';

export class HotList {
  newest: HotNode | null = null;
  oldest: HotNode | null = null;
  size = 0;
  /** Where the search for what may go continues. */
  hand: HotNode | null = null;

  add(node: HotNode): void {
    node.list = this;
    node.older = this.newest;
    if (this.newest !== null) this.newest.newer = node;
    this.newest = node;
    this.oldest ??= node;
    this.size++;
  }

  /** It is in this list. */
  remove(node: HotNode): void {
    if (this.hand === node) this.hand = node.newer;
    if (node.newer === null) this.newest = node.older;
    else node.newer.older = node.older;
    if (node.older === null) this.oldest = node.newer;
    else node.older.newer = node.newer;
    node.newer = node.older = null;
    this.size--;
  }

  /** SIEVE's choice. The hand stays on it until it is removed. */
  victim(): HotNode | null {
    let node = this.hand ?? this.oldest;
    while (node !== null && node.visited) {
      node.visited = false;
      node = node.newer ?? this.oldest;
    }
    return (this.hand = node);
  }
}
