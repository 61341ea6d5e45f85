/** Which requests may be answered from the cache, and what makes two of them the same. */
import { canonical } from '../key/canonical';

/** What Express and Fastify have in common. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly originalUrl?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request that names its user gets an answer for that user; so does one that asks for a part, or for no cache. */
export function mayBeShared({ method, headers }: HttpRequest): boolean {
  if (method !== 'GET') return false;
  if (headers['authorization'] !== undefined || headers['cookie'] !== undefined || headers['range'] !== undefined)
    return false;
  return !/\bno-(?:store|cache)\b/i.test(String(headers['cache-control'] ?? ''));
}

/** Host without port, path as it was written, query sorted by name, and the headers that count. */
export function requestKey(request: HttpRequest, varyBy: readonly string[]): string {
  const [path = '', ...query] = (request.originalUrl ?? request.url).split('?');
  const host = String(request.headers['host'] ?? '').replace(/:\d+$/, '');
  const counted = varyBy.map((name) => request.headers[name.toLowerCase()] ?? null);
  return `GET ${host}${path}?${sortQuery(query.join('?'))}${counted.length === 0 ? '' : ` ${canonical(counted)}`}`;
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
