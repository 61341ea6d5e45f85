/**
 * What besides the address tells two answers apart: request headers, and functions of the request. Only who says by a
 * function which `user` or `tenant` asks may have answers to requests with credentials cached.
 */
import { canonical } from '../key/canonical';
import type { HttpRequest } from './http-request';

/** Its answer is part of the key. `undefined` or `null`: this request is neither answered from the cache nor stored. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the request is that of Express or Fastify, with what guards have added
export type RequestFunction = (request: any) => unknown;

export interface RouteVary {
  /** Request headers whose value is part of the key, e.g. `['accept-language']`; named in `Vary` too. */
  headers?: readonly string[];
  /** Who asks. Permits requests with `Authorization` or `Cookie`, and answers that are `private`. */
  user?: RequestFunction;
  /** For which tenant. Permits requests with `Authorization` or `Cookie`: what a tenant's users see must be the same for all of them. */
  tenant?: RequestFunction;
  /** Anything else that the answer depends on, e.g. `plan`. */
  [name: string]: RequestFunction | readonly string[] | undefined;
}

export type VaryOption = readonly string[] | RouteVary;

export class Vary {
  private constructor(
    /** In small letters. */
    readonly headers: readonly string[],
    private readonly functions: ReadonlyMap<string, RequestFunction>,
  ) {}

  /** What the controller asks for counts for its routes too. */
  static of(...options: readonly (VaryOption | undefined)[]): Vary {
    const headers = new Set<string>();
    const functions = new Map<string, RequestFunction>();
    for (const option of options) {
      if (option === undefined) continue;
      const { headers: names = [], ...others } = isList(option) ? { headers: option } : option;
      for (const name of names) headers.add(name.toLowerCase());
      for (const [name, value] of Object.entries(others)) if (typeof value === 'function') functions.set(name, value);
    }
    return new Vary([...headers], functions);
  }

  /** Answers are told apart by user. */
  get byUser(): boolean {
    return this.functions.has('user');
  }

  /** Requests that name their user may be answered from the cache. */
  get permitsCredentials(): boolean {
    return this.byUser || this.functions.has('tenant');
  }

  /** A text of its own for each combination of values; `undefined` when one of them is not known. */
  textOf(request: HttpRequest): string | undefined {
    if (this.headers.length === 0 && this.functions.size === 0) return '';
    const values: Record<string, unknown> = {};
    for (const [name, ask] of this.functions) {
      const value = ask(request);
      if (value === undefined || value === null) return undefined;
      values[name] = value;
    }
    const headers = this.headers.map((name) => request.headers[name] ?? null);
    return ` ${canonical(this.functions.size === 0 ? headers : [headers, values])}`;
  }
}

export function isList(option: VaryOption): option is readonly string[] {
  return Array.isArray(option);
}
