/** `@TurboCacheRoute`: how the interceptor treats one route, or all routes of a controller. */
import { SetMetadata } from '@nestjs/common';
import { checkOptions, FRESHNESS } from '../decorators/check-options';
import { decoratorError } from '../decorators/site';
import type { FreshnessOptions } from '../client';
import { methodIn, placeOf } from '../method/place';

export interface TurboCacheRouteOptions extends FreshnessOptions {
  /** Name of a cache or a manager. @default the default manager */
  cache?: string;
  /** Labels of the responses. */
  tags?: readonly string[];
  /** Request headers whose value is part of the key, e.g. `['accept-language']`; named in `Vary` too. */
  varyBy?: readonly string[];
}

const ROUTE = 'turbocache:route';

/** Options for `TurboCacheInterceptor`; the route's win over the controller's. `false`: this route is never cached. */
export function TurboCacheRoute(options: TurboCacheRouteOptions | false): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const place = placeOf('@TurboCacheRoute', target, key ?? '*');
    if (key !== undefined) methodIn(descriptor, target, place);
    if (options !== false) check(options, place);
    SetMetadata(ROUTE, options)(target, key as string, descriptor as PropertyDescriptor);
  };
}

export function routeOptionsOf(type: object, handler: object): TurboCacheRouteOptions | false {
  const ofController = Reflect.getMetadata(ROUTE, type) as TurboCacheRouteOptions | false | undefined;
  const ofRoute = Reflect.getMetadata(ROUTE, handler) as TurboCacheRouteOptions | false | undefined;
  if (ofRoute === false || (ofController === false && ofRoute === undefined)) return false;
  return { ...ofController, ...ofRoute };
}

function check(given: TurboCacheRouteOptions, place: ReturnType<typeof placeOf>): void {
  checkOptions(given, ['cache', 'tags', 'varyBy', ...FRESHNESS], place);
  const { varyBy } = given;
  if (varyBy === undefined || (Array.isArray(varyBy) && varyBy.every((name) => typeof name === 'string'))) return;
  throw decoratorError(place, 'not a list', { option: 'varyBy', got: varyBy, expected: 'names of request headers' });
}
