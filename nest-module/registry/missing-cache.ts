/** A cache that a decorator names, and that the application does not have. */
import { ConfigurationError } from '../client';

export interface CacheUse {
  readonly decorator: string;
  readonly className: string;
  readonly methodName: string;
  readonly cache: string | undefined;
}

export function missingCache({ decorator, className, methodName, cache }: CacheUse): ConfigurationError {
  const wanted = cache === undefined ? 'the default manager' : `the cache "${cache}"`;
  const expected = 'TurboCacheModule.forRoot() without a name, or the `cache` option with the name of a manager';
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `${decorator} on ${className}.${methodName} uses ${wanted}, which this application does not have; expected ${expected}.`,
    { option: 'cache', got: cache, expected, className, methodName },
  );
}
