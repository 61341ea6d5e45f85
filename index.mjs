// The ESM face of the same CommonJS modules: a program that uses both has one instance of every class.
import turbocache from './index.js';

export const {
  CacheManager,
  CacheableAdapter,
  ClosedError,
  ConfigurationError,
  DecoratorError,
  InvalidArgumentError,
  KeyvAdapter,
  LimitError,
  LoaderTimeoutError,
  MemoryAdapter,
  MultiTierAdapter,
  NativeLoadError,
  RecursiveLoadError,
  RemoteError,
  SerializationError,
  TurboCacheError,
  UnsupportedError,
} = turbocache;
