/** Imports one package and opens what it is for, in a process in which nothing else has been loaded. */
const OPEN = {
  turbocache: [() => import('../../../index.mjs'), ({ CacheManager }) => new CacheManager()],
  'lru-cache': [() => import('lru-cache'), ({ LRUCache }) => new LRUCache({ max: 10_000, ttl: 1_000 })],
  'async-cache-dedupe': [() => import('async-cache-dedupe'), ({ createCache }) => createCache({ ttl: 1 })],
  cacheable: [() => import('cacheable'), ({ Cacheable }) => new Cacheable()],
  'cache-manager': [
    () => Promise.all([import('cache-manager'), import('keyv')]),
    ([{ createCache }, { default: Keyv }]) => createCache({ stores: [new Keyv()] }),
  ],
  bentocache: [
    () => Promise.all([import('bentocache'), import('bentocache/drivers/memory')]),
    ([{ BentoCache, bentostore }, { memoryDriver }]) =>
      new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver({})) } }),
  ],
  'ioredis-6': [() => import('ioredis-6'), () => undefined],
  redis: [() => import('redis'), () => undefined],
  '@valkey/valkey-glide': [() => import('@valkey/valkey-glide'), () => undefined],
};

const [load, open] = OPEN[process.argv[2]];
const before = process.memoryUsage().rss;
const start = performance.now();
const loaded = await load();
const imported = performance.now();
globalThis.opened = open(loaded);
const opened = performance.now();
const rss = (process.memoryUsage().rss - before) / 2 ** 20;
process.stdout.write(`${JSON.stringify({ import: imported - start, open: opened - imported, rss })}\n`, () =>
  process.exit(0),
);
