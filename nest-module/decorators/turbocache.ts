/** `@TurboCache`: the method runs on a miss, its result is served on a hit. */
import { limitKey } from '../key/limit';
import { compileTags, type CompiledTags } from '../key/tags';
import type { MethodCall, ResultContext } from '../method/call';
import { type Around, decorateMethod, type TurboCacheMethodDecorator } from '../method/decorate';
import { HotHits } from '../method/hot-hits';
import { type Decide, readThrough } from '../method/read-through';
import { reportFailure, type Scope, ScopeFinder } from '../method/scope';
import { checkOptions, FRESHNESS } from './check-options';
import { keyFor } from './declared-key';
import type { TurboCacheOptions } from './options';

/**
 * Serves the method's result from the cache. Callers of one key share one call of the method; `undefined` is not
 * stored; an error of the method reaches the caller and is not stored. A failure of the cache never fails the method:
 * it goes to the module's `onError`, and the method is called.
 *
 * @param options A key template, or options.
 */
export function TurboCache(options: string | TurboCacheOptions = {}): TurboCacheMethodDecorator {
  const given = typeof options === 'string' ? { key: options } : options;
  return decorateMethod({
    decorator: '@TurboCache',
    options: given,
    compile(site, target) {
      const before = site('before');
      checkOptions(given, ['key', 'cache', 'tags', 'condition', 'unless', 'returns', ...FRESHNESS], before);
      const key = keyFor(given.key as TurboCacheOptions['key'] & object, before, target);
      const tags = compileTags(given.tags, site('after'));
      const scopes = new ScopeFinder(given, tags?.fixed);
      return {
        namesClass: key.namesClass,
        hotHits: given.condition === undefined && key.quick ? new HotHits(scopes, key.quick) : undefined,
        around: caching(given, scopes, key.of, decisionsOf(given, tags)),
      };
    },
  });
}

function caching(
  { condition }: TurboCacheOptions,
  scopes: ScopeFinder,
  keyOf: (call: MethodCall) => string,
  decisions: Decide | undefined,
): Around {
  return (binding, call, proceed) => {
    const scope = scopes.find(binding);
    if (scope === undefined) return proceed();
    if (condition !== undefined && !holds(condition, scope, call)) return proceed();
    let key: string;
    try {
      key = limitKey(keyOf(call), scope.hashKeysAbove);
    } catch (error) {
      reportFailure(scope, call, 'key', error);
      return proceed();
    }
    const hot = scope.shortcuts?.hot(key);
    if (hot !== undefined) return Promise.resolve(hot);
    const decide = decisions === undefined ? undefined : guarded(decisions, scope);
    return readThrough(scope, key, call, proceed, decide);
  };
}

/** What depends on the result: whether to store it, how long, under which tags. */
function decisionsOf({ unless, ttl }: TurboCacheOptions, tags: CompiledTags | undefined): Decide | undefined {
  const ttlOf = typeof ttl === 'function' ? ttl : undefined;
  const tagsOf = tags?.fixed === undefined ? tags?.of : undefined;
  if (unless === undefined && ttlOf === undefined && tagsOf === undefined) return undefined;
  return (context, call) => {
    const known = call as MethodCall & ResultContext;
    if (unless?.(known) === true) {
      context.skip();
      return;
    }
    if (ttlOf !== undefined) context.setTtl(ttlOf(known));
    if (tagsOf !== undefined) context.setTags(tagsOf(known));
  };
}

/** A decision that fails leaves the result unstored: an entry without its tags could not be dropped by them. */
function guarded(decisions: Decide, scope: Scope): Decide {
  return (context, call) => {
    try {
      decisions(context, call);
    } catch (error) {
      context.skip();
      reportFailure(scope, call, 'write', error);
    }
  };
}

function holds(condition: NonNullable<TurboCacheOptions['condition']>, scope: Scope, call: MethodCall): boolean {
  try {
    return condition(call);
  } catch (error) {
    reportFailure(scope, call, 'condition', error);
    return false;
  }
}
