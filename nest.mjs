// The ESM face of the same CommonJS modules: Nest finds one instance of every token and class.
import nest from './dist/nest-module/index.js';

export const {
  InjectCache,
  TurboCache,
  TurboCacheContext,
  TurboCacheContextInterceptor,
  TurboCacheContextMiddleware,
  TurboCacheContextModule,
  TurboCacheDefaults,
  TurboCacheEvict,
  TurboCacheInterceptor,
  TurboCacheKey,
  TurboCacheMemo,
  TurboCacheModule,
  TurboCachePut,
  TurboCacheRoute,
  bindCache,
  cacheKey,
  getCacheToken,
} = nest;
