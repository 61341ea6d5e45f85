// The ESM face of the same CommonJS modules, see nest.mjs.
import warming from '../dist/nest-module/warming/index.js';

export const { AccessHistory, TurboCacheRefreshAhead, TurboCacheWarm, TurboCacheWarming, TurboCacheWarmingModule } =
  warming;
