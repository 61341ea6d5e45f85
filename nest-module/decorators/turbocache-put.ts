/** `@TurboCachePut`: the method always runs, and its result replaces what the cache holds. */
import { currentTransaction, type OpenTransaction } from '../eviction/transaction';
import { evictWhenDue } from '../eviction/when-due';
import { currentContext } from '../context/context';
import { compileTags } from '../key/tags';
import type { MethodCall, ResultContext } from '../method/call';
import { decorateMethod, type DecoratorFor } from '../method/decorate';
import type { Returns } from '../method/returns';
import { keyIn, reportFailure, type Scope, ScopeFinder } from '../method/scope';
import { checkOptions, FRESHNESS } from './check-options';
import { keyFor } from './declared-key';
import type { TurboCachePutOptions } from './options';
import { ask } from './predicate';
import type { Site } from './site';

/**
 * Stores the method's result after each call; the promise resolves when it is stored, so that the caller's next read
 * sees it. Nothing is stored when the method throws or its result is `undefined`.
 *
 * @param options A key template, which may use `#{result.…}`, or options.
 */
export function TurboCachePut<R extends Returns = 'promise'>(
  options: string | TurboCachePutOptions<R> = {},
): DecoratorFor<R> {
  const given: TurboCachePutOptions = typeof options === 'string' ? { key: options } : options;
  return decorateMethod<R>({
    decorator: '@TurboCachePut',
    options: given,
    compile(site, target) {
      const after = site('after');
      checkOptions(given, ['key', 'cache', 'tags', 'varyBy', 'condition', 'unless', 'returns', ...FRESHNESS], after);
      const key = keyFor(given.key, after, target);
      const store = storing(given, key.of, compileTags(given.tags, after)?.of, after);
      const scopes = new ScopeFinder(given);
      return {
        namesClass: key.namesClass,
        around: async (binding, call, proceed) => {
          const began = currentTransaction();
          const result = await proceed();
          const scope = scopes.find(binding);
          if (scope !== undefined && result !== undefined) await store(scope, call.withResult(result), began);
          return result;
        },
        aroundValue(binding, call, proceed) {
          const began = currentTransaction();
          const result = proceed();
          const scope = scopes.find(binding);
          // It is on its way when this returns: whoever reads in this process from now on reads behind it.
          if (scope !== undefined && result !== undefined) void store(scope, call.withResult(result), began);
          return result;
        },
      };
    },
  });
}

/** `began`: the transaction that the method began in; it may have ended by now, and nobody here knows how. */
type Store = (scope: Scope, call: MethodCall & ResultContext, began: OpenTransaction | undefined) => Promise<void>;

function storing(
  { condition, unless, ttl }: TurboCachePutOptions,
  keyOf: (call: MethodCall) => string,
  tagsOf: ((call: MethodCall) => readonly string[]) | undefined,
  site: Site,
): Store {
  return async (scope, call, began) => {
    try {
      if (condition !== undefined && !ask(condition, call, 'condition', site)) return;
      if (unless !== undefined && ask(unless, call, 'unless', site)) return;
      const text = keyOf(call);
      currentContext()?.memo.forget(text);
      const key = keyIn(scope, text, call);
      const transaction = currentTransaction() ?? began;
      // What is not committed must not be read by others: the old value goes with the commit, the next read stores the new one.
      if (transaction !== undefined) {
        await evictWhenDue(scope, { keys: [key] }, transaction);
        return;
      }
      await scope.cache.set(key, call.result as unknown, {
        ...scope.entry,
        ...(typeof ttl === 'function' ? { ttl: ttl(call) } : {}),
        ...(tagsOf === undefined ? {} : { tags: tagsOf(call) }),
      });
    } catch (error) {
      reportFailure(scope, call, 'write', error);
    }
  };
}
