/** Injection tokens. Texts, so that Nest's own errors about a missing one can be read. */
import { Inject } from '@nestjs/common';
import { CacheManager } from '../client';
import { checkName } from './check-options';

/** Token of a named cache (`forFeature`) or manager (`forRoot({ name })`); without a name, of the default manager. */
export function getCacheToken(name?: string): string | typeof CacheManager {
  if (name === undefined) return CacheManager;
  checkName('getCacheToken', name);
  return `TurboCache(${name})`;
}

/**
 * Injects a named cache or manager; without a name the default `CacheManager`, which can also be injected by its type
 * alone.
 */
export function InjectCache(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getCacheToken(name));
}

/** A manager under a token that the whole application sees, whether or not its module is global. */
export function managerToken(name: string | undefined): string {
  return name === undefined ? 'TurboCacheManager' : `TurboCacheManager(${name})`;
}

/** The name in such a token; `undefined` for the default manager's, and for others. */
export function managerName(token: unknown): string | undefined {
  return typeof token === 'string' ? /^TurboCacheManager\((.+)\)$/s.exec(token)?.[1] : undefined;
}
