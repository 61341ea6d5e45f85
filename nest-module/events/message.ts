/** What messages may say: parsed and judged before anything is done with them. */
import { InvalidArgumentError } from '../client';
import { checkEviction, type Eviction } from '../eviction/eviction';
import type { CacheNames } from './rule';

/** `place`: the channel or stream that it came on. */
export function parseMessage(place: string, message: string): unknown {
  try {
    return JSON.parse(message);
  } catch (cause) {
    const expected = 'JSON';
    throw new InvalidArgumentError(
      'E_TURBOCACHE_ARGUMENT',
      `A message on "${place}" is ${message.length} characters that are not JSON; expected ${expected}.`,
      { option: 'message', expected, cause },
    );
  }
}

/**
 * Whoever may send could make Redis walk over all of its keys, as often as he likes: no patterns. A name nobody declared would make a
 * cache, as many as he likes: no such names.
 */
export function allowedEviction(payload: unknown, place: string, caches: CacheNames): Eviction {
  const eviction = checkEviction(payload, { where: `A message on "${place}"`, withPatterns: false });
  const { cache } = eviction;
  if (caches.has(cache)) return eviction;
  const names = [...caches].filter((name) => name !== undefined);
  const expected = `one of ${names.join(', ') || 'no cache at all'} (the option \`caches\`)`;
  throw new InvalidArgumentError(
    'E_TURBOCACHE_ARGUMENT',
    `A message on "${place}" names ${cache === undefined ? 'no cache' : `the cache "${cache}"`}; expected ${expected}.`,
    { option: 'cache', got: cache, expected },
  );
}
