import { decorated } from './decorated.mjs';
import { hits } from './hits.mjs';
import { latency } from './latency.mjs';
import { layers } from './layers.mjs';
import { loads } from './loads.mjs';
import { massExpiry } from './mass-expiry.mjs';
import { memory } from './memory.mjs';
import { redisOnly } from './redis-only.mjs';
import { rings } from './rings.mjs';
import { startUp } from './start-up.mjs';
import { workers } from './workers.mjs';

/** In the order in which they run and are shown. */
export const scenarios = [
  ...hits,
  ...decorated,
  ...loads,
  ...rings,
  ...workers,
  ...redisOnly,
  ...latency,
  ...layers,
  ...memory,
  ...massExpiry,
  ...startUp,
];
