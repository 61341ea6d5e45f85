/**
 * The process of one contestant: opens it, and does what the runner asks, one message at a time.
 * An entrant gives `name`, `run(operations)`, and, where there is something to compare, `read(index)` and `close()`.
 */
import { isDeepStrictEqual } from 'node:util';
import { calibrate, timedTurn } from './turn.mjs';
import { WrongValue } from './wrong-value.mjs';

const [, , module, scenarioName, index, settings] = process.argv;
const { scenarios } = await import(module);
const stage = JSON.parse(settings);
const scenario = scenarios.find(({ name }) => name === scenarioName);
let contestant;
let operations = 1;

const answers = {
  async open() {
    contestant = await scenario.entrants[index](stage);
    await checkValues();
  },
  async warmUp() {
    if (scenario.isMeasured) return 1;
    const { milliseconds, warmUp } = stage;
    operations = await calibrate(contestant.run, { unit: scenario.unit ?? 1, milliseconds, warmUp });
    return operations;
  },
  async turn() {
    if (scenario.isMeasured) return contestant.run(stage);
    return (await timedTurn(contestant.run, operations)).figures;
  },
  async close() {
    await contestant?.close?.();
  },
};

async function checkValues() {
  if (contestant.read === undefined) return;
  for (const key of [0, 1, 2]) {
    const value = await contestant.read(key);
    if (isDeepStrictEqual(value, scenario.expected(key))) continue;
    throw new WrongValue(`${JSON.stringify(value)?.slice(0, 80)} came for ${key}`);
  }
}

process.on('message', async (question) => {
  try {
    const answer = await answers[question]();
    process.send({ name: contestant?.name, answer });
  } catch (error) {
    const isWrong = error instanceof WrongValue;
    const fault = isWrong ? `returned a wrong value: ${error.message}` : `failed: ${error.stack}`;
    process.send({ name: contestant?.name, fault });
  }
});

// The runner is gone.
process.once('disconnect', () => process.exit());
