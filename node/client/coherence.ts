/** Options that are right one by one and make no sense together: said once, where they were given, with advice. */
import { ConfigurationError } from './errors';
import type { Freshness } from './freshness';

/** `where` names the cache, e.g. `cache 'users'`. */
export function incoherences(where: string, freshness: Freshness): ConfigurationError[] {
  const { ttl, grace, softTimeout, hardTimeout, jitter, eagerRefresh, earlyRefresh } = freshness;
  const { maxTtl, graceBackoff, swr, loaderDeadline } = freshness;
  const found: ConfigurationError[] = [];
  const say = (option: string, got: unknown, problem: string, expected: string): void => {
    const message = `The ${option} of the ${where} ${problem}; expected ${expected}.`;
    found.push(new ConfigurationError('E_TURBOCACHE_OPTION', message, { option, got, expected }));
  };
  if (softTimeout !== null && grace === 0) {
    say(
      'softTimeout',
      softTimeout,
      'has no effect, because without grace there is never an old value',
      'a grace above 0',
    );
  }
  if (softTimeout !== null && hardTimeout !== null && softTimeout >= hardTimeout) {
    say('softTimeout', softTimeout, 'has no effect, because hardTimeout is not longer', 'a shorter softTimeout');
  }
  if (jitter >= ttl) {
    say('jitter', jitter, 'can shorten a ttl to nothing', 'less than the ttl');
  }
  if (maxTtl !== null && ttl !== Infinity && ttl > maxTtl) {
    say('ttl', ttl, `is cut to ${maxTtl} ms, because maxTtl is shorter`, 'a ttl of at most maxTtl');
  }
  for (const [name, value] of Object.entries({ eagerRefresh, earlyRefresh })) {
    if (value !== null && ttl === Infinity && maxTtl === null) {
      say(name, value, 'has no effect, because the values never grow old', 'a ttl');
    }
  }
  if (swr && grace === 0)
    say('swr', swr, 'has no effect, because without grace there is never an old value', 'a grace above 0');
  if (graceBackoff > 0 && grace === 0) {
    say(
      'graceBackoff',
      graceBackoff,
      'has no effect, because without grace there is never an old value',
      'a grace above 0',
    );
  }
  if (hardTimeout !== null && loaderDeadline !== null && loaderDeadline < hardTimeout) {
    say('hardTimeout', hardTimeout, 'has no effect, because loaderDeadline is shorter', 'a longer loaderDeadline');
  }
  return found;
}
