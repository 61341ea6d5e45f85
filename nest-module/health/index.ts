/** `turbocache-js/health`: the health of a cache for `@nestjs/terminus` 11 and 12. */
import '../peer/require-nest';

export { TurboCacheHealthIndicator } from './indicator';
export type { CacheHealth, CacheProblem, TurboCacheHealthOptions, TurboCacheHealthResult } from './health';
