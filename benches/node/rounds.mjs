import os from 'node:os';

/**
 * Runs the contestants of a scenario in turns and prints a table of nanoseconds per operation. Each round starts with
 * another one, and the first two rounds warm up and do not count.
 */
export async function compare({ title, operations, open }, rounds) {
  const { contestants, close } = await open();
  const samples = contestants.map(() => []);
  for (let round = -2; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round + contestants.length) % contestants.length;
      globalThis.gc?.();
      const start = process.hrtime.bigint();
      await contestants[index].run(operations);
      const nanoseconds = Number(process.hrtime.bigint() - start) / operations;
      if (round >= 0) samples[index].push(nanoseconds);
    }
  }
  await close();

  const [cpu] = os.cpus();
  console.log(`\n${title}`);
  console.log(
    `${rounds} rounds of ${operations.toLocaleString('en')} operations, Node ${process.versions.node}, ${cpu?.model}`,
  );
  console.table(
    Object.fromEntries(
      contestants.map(({ name }, index) => {
        const sorted = samples[index].toSorted((a, b) => a - b);
        const at = (fraction) => Math.round(sorted[Math.floor((sorted.length - 1) * fraction)]);
        return [name, { 'median ns': at(0.5), 'best ns': at(0), 'worst ns': at(1) }];
      }),
    ),
  );
}
