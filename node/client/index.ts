/** The runtime names of `index.d.ts`, all of them and no others. */
export { CacheManager } from './cache-manager';
export { MemoryAdapter } from './memory-adapter';
export { MultiTierAdapter } from './multi-tier-adapter';
export { KeyvAdapter } from './keyv-adapter';
export { CacheableAdapter } from './cacheable-adapter';
export { escapePattern } from './pattern';
export {
  TurboCacheError,
  ConfigurationError,
  InvalidArgumentError,
  LimitError,
  SerializationError,
  LoaderTimeoutError,
  RecursiveLoadError,
  OverloadedError,
  LockError,
  ClosedError,
  RemoteError,
  UnsupportedError,
  DecoratorError,
  NativeLoadError,
} from './errors';
