/** Who uses whom: from a file or a module to the names of those it uses. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** Every circle that a depth-first walk finds, as `a → b → a`. Empty when arrows point one way. */
export function circles(graph: Graph): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];

  const visit = (node: string): void => {
    const start = path.indexOf(node);
    if (start >= 0) {
      found.push([...path.slice(start), node].join(' → '));
      return;
    }
    if (done.has(node)) return;
    path.push(node);
    graph.get(node)?.forEach(visit);
    path.pop();
    done.add(node);
  };
  [...graph.keys()].forEach(visit);
  return found;
}
