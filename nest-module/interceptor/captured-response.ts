/** What of a response is kept, and which responses never are. */
import { StreamableFile } from '@nestjs/common';
import { isPlainObject } from '../key/plain-object';
import { entityTagOf } from './entity-tag';
import type { Vary } from './vary';

/** What Express and Fastify have in common. */
export interface HttpResponse {
  readonly statusCode: number;
  getHeaders(): Record<string, unknown>;
}

/** As it is stored: the body, and the headers that the handler has set. */
export interface CapturedResponse {
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** Stands for a response that is not stored: those who waited for it ask the handler themselves. */
export interface Refusal {
  readonly refused: true;
}

export const REFUSED: Refusal = { refused: true };

/** Made anew for each answer by the server itself, or by us. */
const NOT_KEPT = new Set(['content-length', 'transfer-encoding', 'connection', 'date', 'age', 'x-cache']);

/** @param before The headers as they were when the handler was called: middleware sets those on a hit, too. */
export function capture(
  response: HttpResponse,
  before: Readonly<Record<string, unknown>>,
  body: unknown,
  vary: Vary,
): CapturedResponse | Refusal {
  const after = response.getHeaders();
  if (response.statusCode !== 200 || isForbidden(after, vary) || varies(before, after, vary) || !isPlainData(body))
    return REFUSED;
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(after)) {
    if (NOT_KEPT.has(name.toLowerCase()) || sameHeader(value, before[name]) || value === undefined) continue;
    headers[name] = typeof value === 'number' ? String(value) : (value as string | string[]);
  }
  headers['etag'] ??= entityTagOf(body);
  return { body, headers };
}

function sameHeader(a: unknown, b: unknown): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && a.join('\n') === b.join('\n'));
}

/** An answer for one user alone may be kept for that user, if the key says who it is. */
function isForbidden(headers: Readonly<Record<string, unknown>>, { byUser }: Vary): boolean {
  const forbidden = byUser ? /^(?:no-store|no-cache)\b/ : /^(?:private|no-store|no-cache)\b/;
  return (
    headers['set-cookie'] !== undefined || [...namesIn(headers['cache-control'])].some((word) => forbidden.test(word))
  );
}

/** The handler says that the answer depends on request headers which are not in the key. */
function varies(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  { headers, permitsCredentials }: Vary,
): boolean {
  const credentials = permitsCredentials ? ['authorization', 'cookie'] : [];
  const known = new Set([...namesIn(before['vary']), ...headers, ...credentials]);
  return [...namesIn(after['vary'])].some((name) => !known.has(name));
}

/** The elements of a header that is a list, in small letters. */
export function namesIn(header: unknown): Set<string> {
  const text = Array.isArray(header) ? header.join(',') : typeof header === 'string' ? header : '';
  return new Set(
    text
      .toLowerCase()
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  );
}

/**
 * Only data that JSON gives back as it was. Streams, files and bytes are not; nor are instances of classes: an outer
 * ClassSerializerInterceptor would leave fields out of the first answer that it cannot see in the stored one.
 */
export function isPlainData(value: unknown): boolean {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
    return false;
  if (typeof value !== 'object' || value === null || value instanceof Date) return true;
  if (value instanceof StreamableFile || ArrayBuffer.isView(value)) return false;
  if (Array.isArray(value)) return value.every(isPlainData);
  return isPlainObject(value) && Object.values(value).every((field) => field === undefined || isPlainData(field));
}
