/** The options of a manager and of a named cache: checked, in milliseconds and bytes, with the engine's defaults. */
import type {
  BulkheadOptions,
  Eviction,
  CacheManagerOptions,
  CacheOptions,
  CompressionOptions,
  HotOptions,
  ICacheAdapter,
  ICacheStrategy,
  ISerializer,
  MemoryOptions,
  ReadMode,
} from '../../index';
import type { BulkheadLimits } from './bulkhead';
import type { Codec } from './codec';
import { FRESHNESS_NAMES, overrideFreshness, type Freshness } from './freshness';
import type { HotLimits } from './hot-tier';
import { escapeName } from './key';
import type { NativeOptions } from './native';
import { CONFIGURATION, checkNames, hasMethods, integer, oneOf, refuse, size } from './option-check';
import { checkRedis, type RedisDefaults, type RedisSettings } from './redis-options';
import { codecOf } from './serializers';
import { checkVersion } from './version';

/** JSON of `NativeBinding.defaultOptions()`. */
export interface Defaults extends Omit<Freshness, 'ttl' | 'fallback'> {
  readonly ttl: number | null;
  readonly memory: { readonly maxBytes: number; readonly eviction: Eviction };
  readonly hot: { readonly maxEntries: number; readonly maxBytes: number; readonly reads: ReadMode };
  readonly redis: RedisDefaults;
  readonly compression: { readonly threshold: number; readonly level: number };
  readonly bulkhead: BulkheadLimits;
  readonly serializer: 'json';
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

/** What a cache works with. */
export interface CacheSettings {
  readonly freshness: Freshness;
  readonly codec: Codec;
  readonly reads: ReadMode;
  readonly strategy: ICacheStrategy | undefined;
  readonly bulkhead: BulkheadLimits;
}

export interface ManagerOptions {
  readonly native: NativeOptions;
  readonly hot: HotLimits | null;
  readonly redis: RedisSettings;
  readonly adapter: ICacheAdapter | undefined;
  readonly cache: CacheSettings;
}

const MANAGER_NAMES = [
  ...FRESHNESS_NAMES, 'namespace', 'version', 'memory', 'hot', 'redis', 'adapter',
  'serializer', 'compression', 'strategy', 'bulkhead', 'maxKeyBytes', 'maxValueBytes',
] as const; // prettier-ignore
const CACHE_NAMES = [
  ...FRESHNESS_NAMES, 'version', 'schema', 'migrate', 'serializer', 'strategy', 'bulkhead', 'reads',
] as const; // prettier-ignore
const READ_MODES = ['copy', 'frozen', 'shared'] as const;

/** Sizes above this do not fit the words of the boundary. */
const MOST_VALUE_BYTES = 512 << 20;
const MOST_KEY_BYTES = 64 << 10;
const MOST_BYTES = Number.MAX_SAFE_INTEGER;

/** Throws a `ConfigurationError`, or an `UnsupportedError` for what is named but not there yet. */
export function checkManagerOptions(input: CacheManagerOptions | undefined, defaults: Defaults): ManagerOptions {
  const given = checkNames<CacheManagerOptions>(CONFIGURATION, '', input ?? {}, MANAGER_NAMES);
  const redis = checkRedis(given.redis, defaults.redis);
  const hot = checkHot(given.hot, defaults.hot);
  const memory = checkMemory(given.memory, defaults.memory);
  if (given.redis !== undefined && given.adapter !== undefined) {
    refuse(CONFIGURATION, 'adapter', given.adapter, 'either redis or adapter, because there is one remote tier');
  }
  return {
    native: {
      namespace: checkNamespace(given.namespace),
      version: given.version === undefined ? null : checkVersion('version', given.version),
      memory,
      redis:
        redis.place === null
          ? null
          : {
              ...redis.place,
              connectTimeout: redis.connectTimeout,
              commandTimeout: redis.commandTimeout,
              // Without a tier above it there is nothing that a change in Redis could make old.
              tracking: redis.tracking && (memory !== null || hot !== null),
            },
      adapter: given.adapter !== undefined,
      compression: checkCompression(given.compression, defaults.compression),
      maxKeyBytes:
        given.maxKeyBytes === undefined
          ? defaults.maxKeyBytes
          : integer(CONFIGURATION, 'maxKeyBytes', given.maxKeyBytes, 1, MOST_KEY_BYTES),
      maxValueBytes:
        given.maxValueBytes === undefined
          ? defaults.maxValueBytes
          : size(CONFIGURATION, 'maxValueBytes', given.maxValueBytes, 1, MOST_VALUE_BYTES),
    },
    hot,
    redis,
    adapter: checkAdapter(given.adapter),
    cache: {
      freshness: overrideFreshness(
        CONFIGURATION,
        { ...defaults, ttl: defaults.ttl ?? Infinity, fallback: undefined },
        given,
      ),
      codec: checkSerializer(given.serializer) ?? codecOf(defaults.serializer),
      reads: hot?.reads ?? 'copy',
      strategy: checkStrategy(given.strategy),
      bulkhead: checkBulkhead(given.bulkhead, defaults.bulkhead),
    },
  };
}

/** The settings of a named cache: what it says, and its parent's for the rest. Its version is read by `checkVersioning`. */
export function checkCacheOptions(input: CacheOptions, parent: CacheSettings): CacheSettings {
  const given = checkNames<CacheOptions>(CONFIGURATION, '', input, CACHE_NAMES);
  return {
    freshness: overrideFreshness(CONFIGURATION, parent.freshness, given),
    codec: checkSerializer(given.serializer) ?? parent.codec,
    reads: given.reads === undefined ? parent.reads : oneOf(CONFIGURATION, 'reads', given.reads, READ_MODES),
    strategy: checkStrategy(given.strategy) ?? parent.strategy,
    bulkhead: checkBulkhead(given.bulkhead, parent.bulkhead),
  };
}

function checkNamespace(input: unknown): string | null {
  if (input === undefined) return null;
  escapeName('option namespace', input);
  return input as string;
}

const EVICTIONS = ['s3-fifo', 'tiny-lfu'] as const;

function checkMemory(input: MemoryOptions | false | undefined, defaults: Defaults['memory']): NativeOptions['memory'] {
  if (input === false) return null;
  const given = checkNames<MemoryOptions>(CONFIGURATION, 'memory.', input ?? {}, ['maxBytes', 'eviction']);
  return {
    maxBytes:
      given.maxBytes === undefined
        ? defaults.maxBytes
        : size(CONFIGURATION, 'memory.maxBytes', given.maxBytes, 1, MOST_BYTES),
    eviction:
      given.eviction === undefined
        ? defaults.eviction
        : oneOf(CONFIGURATION, 'memory.eviction', given.eviction, EVICTIONS),
  };
}

function checkHot(
  input: HotOptions | false | undefined,
  defaults: Defaults['hot'],
): (HotLimits & { reads: ReadMode }) | null {
  if (input === false) return null;
  const given = checkNames<HotOptions>(CONFIGURATION, 'hot.', input ?? {}, ['maxEntries', 'maxBytes', 'reads']);
  return {
    maxEntries:
      given.maxEntries === undefined
        ? defaults.maxEntries
        : integer(CONFIGURATION, 'hot.maxEntries', given.maxEntries, 1, MOST_BYTES),
    maxBytes:
      given.maxBytes === undefined
        ? defaults.maxBytes
        : size(CONFIGURATION, 'hot.maxBytes', given.maxBytes, 1, MOST_BYTES),
    reads: given.reads === undefined ? defaults.reads : oneOf(CONFIGURATION, 'hot.reads', given.reads, READ_MODES),
  };
}

function checkCompression(
  input: CompressionOptions | false | undefined,
  defaults: Defaults['compression'],
): NativeOptions['compression'] {
  if (input === false) return null;
  const given = checkNames<CompressionOptions>(CONFIGURATION, 'compression.', input ?? {}, ['threshold', 'level']);
  return {
    threshold:
      given.threshold === undefined
        ? defaults.threshold
        : size(CONFIGURATION, 'compression.threshold', given.threshold, 0, MOST_BYTES),
    level: given.level === undefined ? defaults.level : integer(CONFIGURATION, 'compression.level', given.level, 1, 19),
  };
}

function checkBulkhead(input: BulkheadOptions | undefined, base: BulkheadLimits): BulkheadLimits {
  const given = checkNames<BulkheadOptions>(CONFIGURATION, 'bulkhead.', input ?? {}, ['maxConcurrent', 'maxQueued']);
  const { maxConcurrent = base.maxConcurrent, maxQueued = base.maxQueued } = given;
  return {
    maxConcurrent:
      maxConcurrent === null ? null : integer(CONFIGURATION, 'bulkhead.maxConcurrent', maxConcurrent, 1, MOST_BYTES),
    maxQueued: integer(CONFIGURATION, 'bulkhead.maxQueued', maxQueued, 0, MOST_BYTES),
  };
}

function checkSerializer(input: 'json' | ISerializer | undefined): Codec | undefined {
  if (input === undefined) return undefined;
  if (input === 'json') return codecOf('json');
  if (!hasMethods(input, ['serialize', 'deserialize']) || typeof input.name !== 'string') {
    refuse(CONFIGURATION, 'serializer', input, "'json', or an object with id, name, serialize() and deserialize()");
  }
  integer(CONFIGURATION, 'serializer.id', input.id, 128, 255);
  return codecOf(input);
}

function checkStrategy(input: ICacheStrategy | undefined): ICacheStrategy | undefined {
  if (input === undefined || hasMethods(input, ['ttl'])) return input;
  return refuse(CONFIGURATION, 'strategy', input, 'an object with ttl()');
}

function checkAdapter(input: ICacheAdapter | undefined): ICacheAdapter | undefined {
  if (
    input === undefined ||
    (hasMethods(input, ['getMany', 'setMany', 'deleteMany']) && typeof input.name === 'string')
  )
    return input;
  return refuse(CONFIGURATION, 'adapter', input, 'an object with name, getMany(), setMany() and deleteMany()');
}
