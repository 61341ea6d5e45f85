/** `turbocache-js/nest`: the NestJS side of the cache. */
import './peer/require-nest';

export { TurboCacheModule } from './module/turbocache.module';
export type {
  FeatureCache,
  TurboCacheModuleExtras,
  TurboCacheModuleOptions,
  TurboCacheOptionsFactory,
} from './module/module-options';
export { getCacheToken, InjectCache } from './module/tokens';

export { TurboCache } from './decorators/turbocache';
export { TurboCacheEvict } from './decorators/turbocache-evict';
export { TurboCachePut } from './decorators/turbocache-put';
export { TurboCacheKey } from './decorators/turbocache-key';
export { TurboCacheMemo } from './decorators/turbocache-memo';
export { TurboCacheDefaults } from './decorators/defaults';
export type {
  ReturnsOption,
  StoreOptions,
  TagSource,
  TurboCacheDefaultsOptions,
  TurboCacheEvictOptions,
  TurboCacheMemoOptions,
  TurboCacheOptions,
  TurboCachePutOptions,
} from './decorators/options';
export type { TurboCacheKeyDecorator } from './decorators/turbocache-key';
export type { DecoratorFor, TurboCacheMethodDecorator, TurboCacheValueDecorator } from './method/decorate';
export type { Returns } from './method/returns';
export type { CallContext, ResultContext } from './method/call';
export type { KeySource } from './key/key-source';
export { cacheKey } from './key/cache-key';

export { bindCache, type BindOptions } from './registry/binding';
export type { CacheFailure, CacheFailureHandler } from './registry/failure';

export {
  type ContextSource,
  TurboCacheContext,
  type TurboCacheContextAccess,
  type TurboCacheContextValues,
} from './context/context';
export { TurboCacheContextInterceptor } from './context/context.interceptor';
export { TurboCacheContextMiddleware } from './context/context.middleware';
export { TurboCacheContextModule, type TurboCacheContextOptions } from './context/context.module';

export { TurboCacheInterceptor } from './interceptor/turbocache.interceptor';
export { TurboCacheRoute, type TurboCacheRouteOptions } from './interceptor/route-options';
export type { RequestFunction, RouteVary, VaryOption } from './interceptor/vary';
