/** What messages may say: parsed and judged before anything is done with them. */
import { InvalidArgumentError } from '../client';
import { checkEviction, type Eviction } from '../eviction/eviction';

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
export function allowedEviction(payload: unknown, place: string, caches: ReadonlySet<string>): Eviction {
  const eviction = checkEviction(payload, { where: `A message on "${place}"`, withPatterns: false });
  if (eviction.cache === undefined || caches.has(eviction.cache)) return eviction;
  const expected = `one of ${[...caches].join(', ') || 'no cache at all'} (the option \`caches\`)`;
  throw new InvalidArgumentError(
    'E_TURBOCACHE_ARGUMENT',
    `A message on "${place}" names the cache "${eviction.cache}"; expected ${expected}.`,
    { option: 'cache', got: eviction.cache, expected },
  );
}
