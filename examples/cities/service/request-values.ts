import type { IncomingHttpHeaders } from 'node:http';

interface Request {
  headers: IncomingHttpHeaders;
}

/** Who asks. A real service would take it from what a guard has verified: `request.user.tenant`. */
export function tenantOf({ headers }: Request): string | undefined {
  const name = headers['x-tenant'];
  return typeof name === 'string' && /^\w{1,40}$/.test(name) ? name : undefined;
}

/** The first language of `Accept-Language` that can be one, else English. */
export function localeOf({ headers }: Request): string {
  const [wanted] = /^[a-z]{2,3}(?:-[A-Z]{2})?/.exec(headers['accept-language'] ?? '') ?? ['en'];
  return Intl.DisplayNames.supportedLocalesOf(wanted).length > 0 ? wanted : 'en';
}
