/** Which requests may be answered from the cache, and what makes two of them the same. */
import type { Place, Site } from '../decorators/site';
import { MethodCall } from '../method/call';
import type { HttpRequest } from './http-request';
import type { Vary } from './vary';

/** A request that names its user gets an answer for that user; so does one that asks for a part, or for no cache. */
export function mayBeShared({ method, headers }: HttpRequest, vary: Vary): boolean {
  if (method !== 'GET' || headers['range'] !== undefined) return false;
  const namesUser = headers['authorization'] !== undefined || headers['cookie'] !== undefined;
  if (namesUser && !vary.permitsCredentials) return false;
  return !/\bno-(?:store|cache)\b/i.test(String(headers['cache-control'] ?? ''));
}

/** The `key` option of a route. */
export type RouteKey = (request: HttpRequest, call: MethodCall) => string;

/** Templates of a route name these; see {@link callOf}. */
export function siteOf(place: Place): Site {
  const names = ['params', 'query', 'path', 'host'].map((name) => ({
    name,
    index: 0,
    path: [name],
    hasDefault: false,
  }));
  return { ...place, phase: 'before', parameters: { names, count: 1 } };
}

/** A request as templates see it: a call with one argument. */
export function callOf(request: HttpRequest, controller: object, handler: string): MethodCall {
  const [path] = splitUrl(request);
  const { params, query } = request;
  return new MethodCall(controller, handler, [{ params, query, path, host: hostOf(request) }]);
}

/** The key that the route says, else who answers, host without port, path as it was written, and query sorted by name; and what varies. */
export function requestKey(
  request: HttpRequest,
  call: MethodCall,
  { keyOf, answerer, vary }: { readonly keyOf: RouteKey | undefined; readonly answerer: string; readonly vary: Vary },
): string | undefined {
  const varies = vary.textOf(request);
  if (varies === undefined) return undefined;
  if (keyOf !== undefined) return `GET ${keyOf(request, call)}${varies}`;
  const [path, query] = splitUrl(request);
  return `GET ${answerer} ${hostOf(request)}${path}?${sortQuery(query)}${varies}`;
}

function splitUrl({ originalUrl, url }: HttpRequest): [path: string, query: string] {
  const [path = '', ...query] = (originalUrl ?? url).split('?');
  return [path, query.join('?')];
}

function hostOf({ headers }: HttpRequest): string {
  return String(headers['host'] ?? '').replace(/:\d+$/, '');
}

/** By name only: repeated names keep their order, which counts. Nothing is decoded, so nothing can meet that differs. */
function sortQuery(query: string): string {
  if (query === '') return '';
  const nameOf = (pair: string): string => pair.split('=', 1)[0] ?? '';
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return query
    .split('&')
    .sort((a, b) => compare(nameOf(a), nameOf(b)))
    .join('&');
}
