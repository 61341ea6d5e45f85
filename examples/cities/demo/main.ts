import { placeLimit, worldPlaces } from '../data/world-places';
import { memoryDemo } from './memory-demo';
import { redisDemo } from './redis-demo';
import { Stage } from './stage';

async function main(): Promise<void> {
  const stage = new Stage();
  const interrupted = endOnSignal(stage);
  const start = performance.now();
  try {
    const demo = wantsRedis(process.env.REDIS) ? redisDemo : memoryDemo;
    await demo(stage, worldPlaces(placeLimit(process.env)));
    await stage.end();
    console.log(
      `\nDone in ${((performance.now() - start) / 1_000).toFixed(1)} s; every process of the demo ended by itself.`,
    );
  } catch (error) {
    if (interrupted()) return;
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  } finally {
    await stage.end().catch(() => undefined); // reported above, when it was the demo's only failure
  }
}

function wantsRedis(setting = ''): boolean {
  return setting !== '' && setting !== '0';
}

/** Ctrl-C, `kill` and a reader of the output that goes away end everything that was started. Returns whether that happened. */
function endOnSignal(stage: Stage): () => boolean {
  let interrupted = false;
  const end = (exitCode: number) => (): void => {
    interrupted = true;
    void stage.end().finally(() => process.exit(exitCode));
  };
  process.once('SIGINT', end(130));
  process.once('SIGTERM', end(143));
  process.once('SIGHUP', end(129));
  process.stdout.on('error', end(1));
  return () => interrupted;
}

void main();
