/** `@TurboCache`: the method runs on a miss, its result is served on a hit. */
import { isInTransaction } from '../eviction/transaction';
import { compileTags, type CompiledTags } from '../key/tags';
import type { MethodCall, ResultContext } from '../method/call';
import { decorateMethod, type DecoratorFor } from '../method/decorate';
import { HotHits } from '../method/hot-hits';
import { readNow } from '../method/read-now';
import { type Decide, readThrough } from '../method/read-through';
import type { Returns } from '../method/returns';
import { keyIn, reportFailure, type Scope, ScopeFinder } from '../method/scope';
import type { Binding } from '../registry/cache-registry';
import { checkOptions, FRESHNESS } from './check-options';
import { keyFor } from './declared-key';
import type { TurboCacheOptions } from './options';
import { ask } from './predicate';
import { decoratorError, type Site } from './site';

/**
 * Serves the method's result from the cache. Callers of one key share one call of the method; `undefined` is not
 * stored; an error of the method reaches the caller and is not stored. A failure of the cache never fails the method:
 * it goes to the module's `onError`, and the method is called. Inside a database transaction that `turbocache-js/transactions`
 * knows of, the method runs each time, and nothing is stored.
 *
 * @param options A key template, or options.
 */
export function TurboCache<R extends Returns = 'promise'>(
  options: string | TurboCacheOptions<R> = {},
): DecoratorFor<R> {
  const given: TurboCacheOptions = typeof options === 'string' ? { key: options } : options;
  return decorateMethod<R>({
    decorator: '@TurboCache',
    options: given,
    compile(site, target) {
      const before = site('before');
      checkOptions(given, ['key', 'cache', 'tags', 'varyBy', 'condition', 'unless', 'returns', ...FRESHNESS], before);
      if (given.returns === 'value') checkValueOptions(given, before);
      const key = keyFor(given.key as TurboCacheOptions['key'] & object, before, target);
      const after = site('after');
      const tags = compileTags(given.tags, after);
      const scopes = new ScopeFinder(given, tags?.fixed);
      const plan = planning(given, before, scopes, key.of, decisionsOf(given, tags, after));
      return {
        namesClass: key.namesClass,
        hotHits: given.condition === undefined && key.quick ? new HotHits(scopes, key.quick) : undefined,
        around(binding, call, proceed) {
          const found = plan(binding, call);
          if (found === undefined) return proceed();
          const hot = found.scope.shortcuts?.hot(found.key);
          return hot === undefined
            ? readThrough(found.scope, found.key, call, proceed, found.decide)
            : Promise.resolve(hot);
        },
        aroundValue(binding, call, proceed) {
          const found = plan(binding, call);
          return found === undefined ? proceed() : readNow(found.scope, found.key, call, proceed, found.decide);
        },
        async renew(binding, call, proceed, ahead) {
          const found = plan(binding, call);
          if (found === undefined) return;
          const scope = { ...found.scope, entry: { ...found.scope.entry, eagerRefresh: ahead } };
          await readThrough(scope, found.key, call, proceed, found.decide);
          if (ahead !== null) await scope.shortcuts?.reloaded(found.key);
        },
      };
    },
  });
}

interface Plan {
  readonly scope: Scope;
  readonly key: string;
  readonly decide: Decide | undefined;
}

/** Where and under which key a call is cached; `undefined`: it is not. */
function planning(
  { condition }: TurboCacheOptions,
  site: Site,
  scopes: ScopeFinder,
  keyOf: (call: MethodCall) => string,
  decisions: Decide | undefined,
): (binding: Binding, call: MethodCall) => Plan | undefined {
  return (binding, call) => {
    const scope = scopes.find(binding);
    if (scope === undefined || isInTransaction()) return undefined;
    if (condition !== undefined && !holds(condition, scope, call, site)) return undefined;
    try {
      const key = keyIn(scope, keyOf(call), call);
      return { scope, key, decide: decisions === undefined ? undefined : guarded(decisions, scope) };
    } catch (error) {
      reportFailure(scope, call, 'key', error);
      return undefined;
    }
  };
}

const NEED_WAITING = [
  'grace', 'graceBackoff', 'swr', 'softTimeout', 'hardTimeout', 'loaderDeadline', 'eagerRefresh', 'earlyRefresh', 'errorTtl', 'fallback',
] as const; // prettier-ignore

/** A value that is returned at once is never old, nor waited for. */
function checkValueOptions(options: TurboCacheOptions, site: Site): void {
  for (const option of NEED_WAITING) {
    if (options[option] === undefined) continue;
    throw decoratorError(site, "not possible with `returns: 'value'`", {
      option,
      got: options[option],
      expected: 'a method that returns a promise, or no such option',
    });
  }
}

/** What depends on the result: whether to store it, how long, under which tags. */
function decisionsOf(
  { unless, ttl }: TurboCacheOptions,
  tags: CompiledTags | undefined,
  site: Site,
): Decide | undefined {
  const ttlOf = typeof ttl === 'function' ? ttl : undefined;
  const tagsOf = tags?.fixed === undefined ? tags?.of : undefined;
  if (unless === undefined && ttlOf === undefined && tagsOf === undefined) return undefined;
  return (context, call) => {
    const known = call as MethodCall & ResultContext;
    if (unless !== undefined && ask(unless, known, 'unless', site)) {
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

/** A condition that fails caches nothing: the method always knows. */
function holds(
  condition: NonNullable<TurboCacheOptions['condition']>,
  scope: Scope,
  call: MethodCall,
  site: Site,
): boolean {
  try {
    return ask(condition, call, 'condition', site);
  } catch (error) {
    reportFailure(scope, call, 'condition', error);
    return false;
  }
}
