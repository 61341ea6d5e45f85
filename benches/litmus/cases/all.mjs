import { clocks } from './clocks.mjs';
import { loaders } from './loaders.mjs';
import { orders } from './orders.mjs';
import { redisAway } from './redis-away.mjs';
import { replies } from './replies.mjs';
import { blockedEventLoop } from './blocked-event-loop.mjs';
import { foreignWriters } from './foreign-writers.mjs';
import { invalidateDuringLoad } from './invalidate-during-load.mjs';
import { leases } from './leases.mjs';
import { readRacingChange } from './read-racing-change.mjs';
import { replyAndPush } from './reply-and-push.mjs';
import { setRacingLoad } from './set-racing-load.mjs';
import { silence } from './silence.mjs';

export const cases = [
  ...invalidateDuringLoad,
  ...setRacingLoad,
  ...readRacingChange,
  ...replyAndPush,
  ...silence,
  ...blockedEventLoop,
  ...leases,
  ...orders,
  ...redisAway,
  ...replies,
  ...clocks,
  ...loaders,
  ...foreignWriters,
];
