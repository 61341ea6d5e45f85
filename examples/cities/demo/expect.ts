/** What the demo claims must hold: otherwise it fails and says what it saw. */
export function expect(holds: boolean, claim: string, seen: unknown): asserts holds {
  if (!holds) throw new Error(`claim does not hold: ${claim}; seen: ${JSON.stringify(seen)}`);
}
