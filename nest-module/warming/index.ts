/** `turbocache-js/warming`: entries that are there before somebody asks. */
import '../peer/require-nest';

export { TurboCacheWarm, type TurboCacheWarmOptions, type WarmArguments, type WarmContext } from './warm';
export { TurboCacheRefreshAhead, type PredictOptions, type TurboCacheRefreshAheadOptions } from './refresh-ahead';
export { TurboCacheWarming, type TurboCacheWarmingEvents } from './warming';
export { TurboCacheWarmingModule } from './warming.module';
export type { TurboCacheWarmingOptions } from './warming-options';
export type { WarmProgress } from './run';
export { AccessHistory } from './access-history';
