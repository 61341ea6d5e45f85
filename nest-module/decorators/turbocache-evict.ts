/** `@TurboCacheEvict`: what the method changes is removed from the cache. */
import { evictWhenDue } from '../eviction/when-due';
import { escapePattern } from '../client';
import { currentContext } from '../context/context';
import { withContext } from '../context/vary-by-context';
import type { KeySource } from '../key/key-source';
import { compileKey } from '../key/key-source';
import { compilePattern } from '../key/pattern';
import { compileTags } from '../key/tags';
import type { MethodCall, ResultContext } from '../method/call';
import { decorateMethod, type DecoratorFor, type Target } from '../method/decorate';
import type { Returns } from '../method/returns';
import { keyIn, reportFailure, type Scope, ScopeFinder } from '../method/scope';
import type { Advice } from '../method/wrapper';
import { checkIsObject, checkOptions } from './check-options';
import { claimKey, keyFor } from './declared-key';
import type { TurboCacheEvictOptions } from './options';
import { ask } from './predicate';
import { decoratorError, type Site } from './site';

/**
 * Removes entries when the method has succeeded (see `when`); the promise resolves when they are gone, so that the
 * caller's next read is fresh. A failure of the cache never fails the method.
 *
 * @param options A key template, or options: `key` (one or several), `tags`, `pattern`, `all`, in any combination.
 */
export function TurboCacheEvict<R extends Returns = 'promise'>(
  options: string | TurboCacheEvictOptions<R> = {},
): DecoratorFor<R> {
  const given: TurboCacheEvictOptions = typeof options === 'string' ? { key: options } : options;
  return decorateMethod<R>({
    decorator: '@TurboCacheEvict',
    options: given,
    compile(site, target) {
      checkIsObject(given, site('before'), 'a key template or an object of options');
      const when = given.when ?? 'success';
      const place = site(when === 'success' ? 'after' : 'before');
      checkOptions(given, ['key', 'cache', 'tags', 'all', 'pattern', 'varyBy', 'when', 'condition', 'returns'], place);
      const evict = evicting(given, place, target);
      return { ...ADVICE[when](new ScopeFinder(given), evict), namesClass: false };
    },
  });
}

type Evict = (scope: Scope | undefined, call: MethodCall) => Promise<void>;

/** For values an eviction is on its way when the method returns: whoever reads in this process from now on reads behind it. */
const ADVICE: Readonly<
  Record<NonNullable<TurboCacheEvictOptions['when']>, (scopes: ScopeFinder, evict: Evict) => Advice>
> = {
  success: (scopes, evict) => ({
    around: async (binding, call, proceed) => {
      const result = await proceed();
      await evict(scopes.find(binding), call.withResult(result));
      return result;
    },
    aroundValue(binding, call, proceed) {
      const result = proceed();
      void evict(scopes.find(binding), call.withResult(result));
      return result;
    },
  }),
  before: (scopes, evict) => ({
    around: async (binding, call, proceed) => {
      await evict(scopes.find(binding), call);
      return proceed();
    },
    aroundValue(binding, call, proceed) {
      void evict(scopes.find(binding), call);
      return proceed();
    },
  }),
  always: (scopes, evict) => ({
    around: async (binding, call, proceed) => {
      try {
        return await proceed();
      } finally {
        await evict(scopes.find(binding), call);
      }
    },
    aroundValue(binding, call, proceed) {
      try {
        return proceed();
      } finally {
        void evict(scopes.find(binding), call);
      }
    },
  }),
};

function evicting(options: TurboCacheEvictOptions, site: Site, target: Target): Evict {
  const removals = removalsOf(options, site, target);
  return async (scope, call) => {
    if (scope === undefined) return;
    if (options.condition !== undefined && !holds(options.condition, scope, call, site)) return;
    await Promise.all(removals.map((remove) => attempt(remove, scope, call)));
  };
}

/** Each removal fails alone: a key that cannot be made does not keep the tags from being dropped. */
async function attempt(remove: Removal, scope: Scope, call: MethodCall): Promise<void> {
  try {
    await remove(scope, call);
  } catch (error) {
    reportFailure(scope, call, 'evict', error);
  }
}

type Removal = (scope: Scope, call: MethodCall) => Promise<unknown>;

function removalsOf(options: TurboCacheEvictOptions, site: Site, target: Target): Removal[] {
  const tags = compileTags(options.tags, site);
  // Deletes made in one turn travel together, so there is nothing to gain from one call for all keys.
  const removals: Removal[] = keysOf(options, site, target).map((keyOf) => (scope, call) => {
    const key = keyOf(call);
    currentContext()?.memo.forget(key);
    return evictWhenDue(scope, { keys: [keyIn(scope, key, call)] });
  });
  if (tags !== undefined) removals.push((scope, call) => evictWhenDue(scope, { tags: tags.of(call) }));
  if (options.pattern !== undefined) {
    const patternsOf = compilePattern(options.pattern, site);
    removals.push((scope, call) => {
      const context = escapePattern(withContext('', scope.varyBy, call));
      return evictWhenDue(scope, { patterns: patternsOf(call).map((pattern) => pattern + context) });
    });
  }
  if (options.all === true) removals.push((scope) => evictWhenDue(scope, { all: true }));
  // Nobody knows what else this request has kept of it.
  if (tags !== undefined || options.pattern !== undefined || options.all === true) {
    removals.push(() => Promise.resolve(currentContext()?.memo.forget()));
  }
  if (removals.length > 0) return removals;
  throw decoratorError(site, 'it says nothing about what to remove', {
    expected: '`key`, `tags`, `pattern`, `all: true`, or @TurboCacheKey',
  });
}

function keysOf(
  { key, tags, pattern, all }: TurboCacheEvictOptions,
  site: Site,
  target: Target,
): ((call: MethodCall) => string)[] {
  const beside = claimKey(target);
  if (isList(key)) return key.map((source) => compileKey(source, site).of);
  const nothingElse = tags === undefined && pattern === undefined && all !== true;
  return key !== undefined || (nothingElse && beside !== undefined) ? [keyFor(key, site, target).of] : [];
}

function isList(key: TurboCacheEvictOptions['key']): key is readonly KeySource<ResultContext>[] {
  return Array.isArray(key);
}

/** A condition that fails evicts: too fresh is safe, too old is not. */
function holds(
  condition: NonNullable<TurboCacheEvictOptions['condition']>,
  scope: Scope,
  call: MethodCall,
  site: Site,
): boolean {
  try {
    return ask(condition, call as MethodCall & ResultContext, 'condition', site);
  } catch (error) {
    reportFailure(scope, call, 'condition', error);
    return true;
  }
}
