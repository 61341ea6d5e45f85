/** Every package that a figure depends on. Their versions are pinned, checked before the run, and printed. */
export const PEERS = [
  'lru-cache',
  'async-cache-dedupe',
  'cache-manager',
  'keyv',
  '@keyv/redis',
  'cacheable',
  'bentocache',
  'ioredis',
  'ioredis-6',
  'redis',
  '@valkey/valkey-glide',
  'iovalkey',
  '@nestjs/core',
];
