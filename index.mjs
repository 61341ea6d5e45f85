// The ESM face of the same CommonJS modules: a program that uses both has one instance of every class.
// `require`, not `import`: Node would first parse the whole client for the names of its exports.
import { createRequire } from 'node:module';

const turbocache = createRequire(import.meta.url)('./index.js');

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
  LockError,
  MemoryAdapter,
  MultiTierAdapter,
  NativeLoadError,
  OverloadedError,
  RecursiveLoadError,
  RemoteError,
  SerializationError,
  TurboCacheError,
  UnsupportedError,
  escapePattern,
} = turbocache;
