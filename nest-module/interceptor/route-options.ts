/** `@TurboCacheRoute`: how the interceptor treats one route, or all routes of a controller. */
import { SetMetadata } from '@nestjs/common';
import type { FreshnessOptions } from '../client';
import { checkOptions, FRESHNESS } from '../decorators/check-options';
import { decoratorError, type Place } from '../decorators/site';
import { compileTemplate } from '../key/compile-template';
import { compileTags } from '../key/tags';
import { methodIn, placeOf } from '../method/place';
import { siteOf } from './request-key';
import type { RequestFunction, VaryOption } from './vary';

export interface TurboCacheRouteOptions extends FreshnessOptions {
  /** Name of a cache or a manager. @default the default manager */
  cache?: string;
  /**
   * Key of the answers, behind `GET `: a template over `#{params…}`, `#{query…}`, `#{path}` and `#{host}`, or a function of the
   * request. What `varyBy` says is added to it. @default controller, handler, version, host, path and sorted query
   */
  key?: string | RequestFunction;
  /** Labels of the answers; texts or templates as for `key`. */
  tags?: readonly string[];
  /** What tells answers apart besides: names of request headers, or `{ headers, user, tenant, … }` with functions of the request. */
  varyBy?: VaryOption;
}

const ROUTE = 'turbocache:route';
const ROUTE_OPTIONS = ['cache', 'key', 'tags', 'varyBy', ...FRESHNESS] as const;

/** Options for `TurboCacheInterceptor`; the route's win over the controller's, `varyBy` adds up. `false`: never cached. */
export function TurboCacheRoute(options: TurboCacheRouteOptions | false): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const place = placeOf('@TurboCacheRoute', target, key ?? '*');
    if (key !== undefined) methodIn(descriptor, target, place);
    if (options !== false) check(options, place);
    SetMetadata(ROUTE, options)(target, key as string, descriptor as PropertyDescriptor);
  };
}

/** What is written on a controller or on a handler. */
export function routeOptionsOn(target: object): TurboCacheRouteOptions | false | undefined {
  return Reflect.getMetadata(ROUTE, target) as TurboCacheRouteOptions | false | undefined;
}

function check(options: TurboCacheRouteOptions, place: Place): void {
  const given: unknown = options;
  // Looked at below: it is more than a list of names.
  checkOptions(isRecord(given) ? { ...given, varyBy: undefined } : given, ROUTE_OPTIONS, place);
  const { key, tags, varyBy } = options;
  const wrong = (option: string, got: unknown, expected: string): Error =>
    decoratorError(place, 'not possible', { option, got, expected });
  if (key !== undefined && typeof key !== 'function' && (typeof key !== 'string' || key === '')) {
    throw wrong('key', key, 'a template such as "place:#{params.id}", or a function of the request');
  }
  if (tags !== undefined && !isNames(tags)) throw wrong('tags', tags, 'a list of texts');
  if (typeof key === 'string') compileTemplate(key, siteOf(place), 'key');
  compileTags(tags, siteOf(place));
  if (varyBy === undefined || isNames(varyBy)) return;
  const expected = 'names of request headers, or { headers, user, tenant, … } with functions of the request';
  if (!isRecord(varyBy)) throw wrong('varyBy', varyBy, expected);
  for (const [name, value] of Object.entries(varyBy)) {
    if (value === undefined || (name === 'headers' ? isNames(value) : typeof value === 'function')) continue;
    throw wrong(`varyBy.${name}`, value, name === 'headers' ? 'names of request headers' : 'a function of the request');
  }
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
