// The demo: `node examples/cities/run.mjs`, or `make demo`, which also builds what it needs.
// REDIS=1: two service processes and a Redis server. CITIES_LIMIT=5000: only the most populous places.
import { existsSync } from 'node:fs';

const demo = new URL('./dist/demo/main.js', import.meta.url);
if (existsSync(demo)) {
  await import(demo);
} else {
  console.error(
    'examples/cities is not compiled yet. Run `make demo`, or `npx tsc -p examples/cities` after `npm run build`.',
  );
  process.exitCode = 1;
}
