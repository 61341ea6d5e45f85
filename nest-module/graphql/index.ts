/** `turbocache-js/graphql`: fields, DataLoaders and Apollo Server on the cache. */
import '../peer/require-nest';

export { TurboCacheField, type TurboCacheFieldOptions } from './field';
export { TurboCacheLoader, type ContextLoader, type TurboCacheLoaderOptions } from './loader';
export { TurboCacheKeyValueCache, type KeyValueSetOptions } from './key-value-cache';
