/** ETags: a client that has the answer already is told so instead of getting it again (RFC 9110, section 13). */
import { createHash } from 'node:crypto';

/** Weak: what is sent may be encoded in different ways. */
export function entityTagOf(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `W/"${createHash('sha1').update(text).digest('base64url')}"`;
}

/** Whether `If-None-Match` names it; by the weak comparison, as is right for GET. */
export function isKnown(ifNoneMatch: string | string[] | undefined, entityTag: string): boolean {
  const text = Array.isArray(ifNoneMatch) ? ifNoneMatch.join(',') : (ifNoneMatch ?? '');
  if (text.trim() === '*') return true;
  // A comma may stand in a tag, a quote may not.
  const known: readonly string[] = text.match(/"[^"]*"/g) ?? [];
  return known.includes(entityTag.replace(/^W\//, ''));
}
