/** Plain text columns: the first one to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column] ?? '')].map((cell) => cell.length)),
  );
  const line = (cells: readonly string[]): string =>
    '  ' +
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('   ');
  return [
    line(head),
    '  ' + '─'.repeat(widths.reduce((sum, width) => sum + width, 3 * (widths.length - 1))),
    ...rows.map(line),
  ].join('\n');
}

/** Milliseconds for people: `12.3 ms`, or `4.56 µs` below a tenth of a millisecond. */
export function duration(milliseconds: number): string {
  return milliseconds < 0.1
    ? `${(milliseconds * 1_000).toPrecision(3)} µs`
    : `${milliseconds.toFixed(milliseconds < 10 ? 2 : 1)} ms`;
}

/** How many times faster: `3.4×`, `1,200×`. */
export function times(slow: number, fast: number): string {
  const factor = slow / fast;
  return `${factor < 10 ? factor.toFixed(1) : Math.round(factor).toLocaleString('en')}×`;
}
