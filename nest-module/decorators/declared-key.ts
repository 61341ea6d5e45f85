/** Keys that `@TurboCacheKey` declares beside the method, for all cache decorators above it. */
import { type CompiledKey, compileKey, defaultKey, type KeyPart, type KeySource } from '../key/key-source';
import { CONTEXT, INFO, nestParameters } from '../key/nest-parameters';
import type { Target } from '../method/decorate';
import type { ResultContext } from '../method/call';
import { placeOf } from '../method/place';
import { decoratorError, type Site } from './site';

export interface DeclaredKey {
  source?: KeySource<ResultContext>;
  parts: KeyPart[];
  /** A cache decorator stands above it. */
  claimed: boolean;
}

const declared = new WeakMap<object, Map<string | symbol, DeclaredKey>>();

/** For a cache decorator of the method, the first to know that there is one. */
export function claimKey({ prototype, key }: Target): DeclaredKey | undefined {
  const found = declared.get(prototype)?.get(key);
  if (found !== undefined) found.claimed = true;
  return found;
}

/** At start-up, when every class is complete: a key that no cache decorator has asked for does nothing. */
export function checkKeysAreClaimed(type: { readonly prototype: unknown }): void {
  let level = type.prototype as object | null;
  while (level !== null) {
    for (const [key, { claimed }] of declared.get(level) ?? []) if (!claimed) throw unclaimed(level, key);
    level = Object.getPrototypeOf(level) as object | null;
  }
}

function unclaimed(prototype: object, key: string | symbol): Error {
  return decoratorError(placeOf('@TurboCacheKey', prototype, key), 'no cache decorator stands above it', {
    expected: '@TurboCache, @TurboCachePut, @TurboCacheEvict or @TurboCacheMemo on the method',
  });
}

/** What is declared for a method so far, to be added to. */
export function declareKey({ prototype, key }: Target): DeclaredKey {
  const ofClass = declared.get(prototype) ?? new Map<string | symbol, DeclaredKey>();
  const ofMethod = ofClass.get(key) ?? { parts: [], claimed: false };
  declared.set(prototype, ofClass.set(key, ofMethod));
  return ofMethod;
}

/** The key of a decorator: its own option, else what `@TurboCacheKey` says, else class, method and arguments. */
export function keyFor(own: KeySource<ResultContext> | undefined, site: Site, target: Target): CompiledKey {
  const beside = claimKey(target);
  if (own !== undefined && beside !== undefined) {
    throw decoratorError(site, 'there are two keys, this one and @TurboCacheKey', {
      option: 'key',
      expected: 'one of them',
    });
  }
  const source = own ?? beside?.source;
  if (source !== undefined) return compileKey(source, site);
  if (beside === undefined) refuseContext(site, target);
  return defaultKey(site, beside?.parts);
}

/** The context of a request tells users apart, and is no data: whether it counts is for the method's author to say. */
function refuseContext(site: Site, { prototype, key }: Target): void {
  const found = nestParameters(prototype, key).find(({ kind }) => kind === CONTEXT || kind === INFO);
  if (found === undefined) return;
  const what =
    found.kind === CONTEXT
      ? 'the context of GraphQL, or the response of HTTP'
      : 'the info of GraphQL, or the next handler of HTTP';
  throw decoratorError(site, `parameter ${found.index} is ${what}, which is no part of a key`, {
    option: 'key',
    expected: 'a `key`, or @TurboCacheKey() on the parameters that count',
  });
}
