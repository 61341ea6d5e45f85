/** A cache of `forFeature` whose manager is not there. */
import type { ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from '../client';
import { nearestNames } from '../key/nearest';
import { managerName, managerToken } from './tokens';

/** Fails if no module makes the manager. If one does, the start is failing because of what that one says. */
export function missingManager(
  feature: string,
  manager: string | undefined,
  modules: ModulesContainer,
): Promise<never> {
  const tokens = [...modules.values()].flatMap(({ providers }) => [...providers.keys()]);
  // The manager's own error is the one to be read: ours must not come first.
  if (tokens.includes(managerToken(manager))) return new Promise(() => {});
  const names = tokens.map(managerName).filter((name) => name !== undefined);
  const got = manager === undefined ? 'a default manager' : `a manager "${manager}"`;
  const root = manager === undefined ? 'forRoot()' : `forRoot({ name: '${manager}' })`;
  const nearest = manager === undefined ? names : nearestNames(manager, names);
  const instead = nearest.length === 0 ? '' : `, or { manager: '${nearest[0]}' }`;
  const expected = `TurboCacheModule.${root} in the application${instead}`;
  throw new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `TurboCacheModule.forFeature: the cache "${feature}" needs ${got}, which this application does not have; expected ${expected}.`,
    { option: 'manager', got: manager, expected, cache: feature },
  );
}
