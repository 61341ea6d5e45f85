/** Asks until the answer is `true`; for states that nobody announces. */
export async function until(what: string, answer: () => boolean | Promise<boolean>, limit = 15_000): Promise<void> {
  const deadline = performance.now() + limit;
  while (!(await answer())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limit} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
