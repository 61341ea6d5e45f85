/** One route as the interceptor sees it: the options of handler and controller, compiled at its first request. */
import type { EntryOptions } from '../client';
import { freshnessOf } from '../decorators/defaults';
import { decoratorError, type Site } from '../decorators/site';
import { compileTemplate } from '../key/compile-template';
import { compileTags, type CompiledTags } from '../key/tags';
import { placeOf } from '../method/place';
import { answererOf, type Controller, type Handler } from './answerer';
import { answersOtherwise } from './other-answers';
import { type RouteKey, siteOf } from './request-key';
import { routeOptionsOn, type TurboCacheRouteOptions } from './route-options';
import { type RequestFunction, Vary } from './vary';

export interface Route {
  readonly cache: string | undefined;
  readonly entry: EntryOptions;
  readonly keyOf: RouteKey | undefined;
  /** Names the handler in keys that the route does not make itself. */
  readonly answerer: string;
  /** Tags that depend on the request. */
  readonly tagsOf: CompiledTags['of'] | undefined;
  readonly vary: Vary;
}

const routes = new WeakMap<object, WeakMap<object, Route | false>>();

/** `false`: never cached. */
export function routeOf(controller: Controller, handler: Handler): Route | false {
  const ofController = routes.get(controller) ?? new WeakMap<object, Route | false>();
  const known = ofController.get(handler);
  if (known !== undefined) return known;
  const route = compile(controller, handler);
  routes.set(controller, ofController.set(handler, route));
  return route;
}

function compile(controller: Controller, handler: Handler): Route | false {
  const above = routeOptionsOn(controller);
  const own = routeOptionsOn(handler);
  if (own === false || (above === false && own === undefined) || answersOtherwise(controller, handler)) return false;
  const outer = above === false ? undefined : above;
  const options: TurboCacheRouteOptions = { ...outer, ...own };
  const site = siteOf(placeOf('@TurboCacheRoute', controller.prototype as object, handler.name));
  const tags = compileTags(options.tags, site);
  return {
    cache: options.cache,
    entry: { ...freshnessOf(options), ...(tags?.fixed === undefined ? {} : { tags: tags.fixed }) },
    keyOf: options.key === undefined ? undefined : compileKey(options.key, site),
    answerer: answererOf(controller, handler),
    tagsOf: tags?.fixed === undefined ? tags?.of : undefined,
    vary: Vary.of(outer?.varyBy, own?.varyBy),
  };
}

function compileKey(key: string | RequestFunction, site: Site): RouteKey {
  if (typeof key === 'string') {
    const { of } = compileTemplate(key, site, 'key');
    return (_, call) => of(call);
  }
  return (request) => {
    const made = key(request);
    if (typeof made === 'string' && made !== '') return made;
    throw decoratorError(site, 'the key came out as nothing', {
      option: 'key',
      got: made,
      expected: 'a string with at least one character',
    });
  };
}
