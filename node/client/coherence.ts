/** Options that are right one by one and make no sense together: said once, where they were given, with advice. */
import { ConfigurationError } from './errors';
import type { Freshness } from './freshness';

/** `where` names the cache, e.g. `cache 'users'`. */
export function incoherences(where: string, freshness: Freshness): ConfigurationError[] {
  const { ttl, grace, softTimeout, hardTimeout, jitter, eagerRefresh } = freshness;
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
  if (eagerRefresh !== null && ttl === Infinity) {
    say('eagerRefresh', eagerRefresh, 'has no effect, because the values never grow old', 'a ttl');
  }
  return found;
}
