/**
 * The ratios that issues 4 and 5 ask for: `ours` over `peers` in `figure`, at most `atMost`. A time: smaller is better, so "2 × the
 * throughput" is "0.5 of the time". Among several peers the best one counts. Without peers, the figure itself is bounded; `floor`
 * is the contestant that shows how much of it is the machine's.
 */
const L1 = 'turbocache, L1 only';
const PIPELINING = 'ioredis, auto-pipelining';
const [COPY, FROZEN, SHARED] = ['copy', 'frozen', 'shared'].map((mode) => `turbocache, ${mode}`);
const DECORATED = 'turbocache, decorated method';
const LRU = 'lru-cache with ttl';
const CLIENTS = ['ioredis', PIPELINING, 'node-redis', 'valkey-glide', 'iovalkey, auto-pipelining'];

const MACHINE = 'no cache: what the machine takes';

const target = (scenario, ours, peers, atMost, figure = 'wall', floor = undefined) => ({
  scenario,
  ours,
  peers: [peers].flat(),
  atMost,
  figure,
  floor,
});

export const TARGETS = [
  target('hit-sync', SHARED, LRU, 1.1),
  target('hit-sync', FROZEN, LRU, 1.1),
  target('hit-awaited', SHARED, LRU, 1.25),
  target('hit-get-or-set', COPY, 'async-cache-dedupe', 0.7),
  target('hit-get-or-set', COPY, 'cacheable', 1 / 15),
  target('hit-get-or-set', COPY, 'bentocache', 1 / 15),
  target('decorated', DECORATED, 'async-cache-dedupe', 1),
  target('decorated', DECORATED, 'turbocache, getOrSet', 1.15),
  target('decorated-text', DECORATED, 'turbocache, getOrSet', 1.15),
  target('decorated-miss', DECORATED, [], 20_000),
  target('hit-memory', L1, 'cacheable getOrSet', 1 / 4),
  target('redis-get-64', 'turbocache', PIPELINING, 1 / 2),
  target('redis-get-64', 'turbocache', 'valkey-glide', 1 / 3),
  target('redis-get-64', 'turbocache', 'node-redis', 1 / 3.5),
  target('redis-get-512', 'turbocache', PIPELINING, 1 / 2.25),
  target('redis-get-64', 'turbocache', CLIENTS, 1 / 2.2, 'loop'),
  target('redis-get-1', 'turbocache', CLIENTS, 1.1),
  target('redis-set-64', 'turbocache', PIPELINING, 1 / 1.75),
  target('redis-many-100', 'turbocache', CLIENTS, 1 / 1.4),
  target('mass-expiry', L1, [], 100, 'p99.99', MACHINE),
  target('mass-expiry', L1, [], 5_000, 'max', MACHINE),
  target('memory-strings', L1, [], 120, 'overhead'),
  target('memory-strings', L1, 'lru-cache', 0.6, 'rss'),
];
