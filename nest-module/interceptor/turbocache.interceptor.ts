/** `TurboCacheInterceptor`: whole responses of GET routes, for everybody or not at all. */
import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { EntryOptions } from '../client';
import { freshnessOf } from '../decorators/defaults';
import { limitKey } from '../key/limit';
import { MethodCall } from '../method/call';
import { readThrough } from '../method/read-through';
import { type Scope, scopeOf } from '../method/scope';
import { CacheRegistry } from '../registry/cache-registry';
import { capture, type CapturedResponse, type HttpResponse, namesIn, REFUSED, type Refusal } from './captured-response';
import { type HttpRequest, mayBeShared, requestKey } from './request-key';
import { routeOptionsOf, type TurboCacheRouteOptions } from './route-options';

/** Handlers whose value is not the body: server-sent events, redirects, templates. */
const OTHER_ANSWERS = ['__sse__', '__redirect__', '__renderTemplate__'];

@Injectable()
export class TurboCacheInterceptor implements NestInterceptor {
  constructor(
    @Inject(CacheRegistry) private readonly registry: CacheRegistry,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handler = context.getHandler();
    const options = routeOptionsOf(context.getClass(), handler);
    if (context.getType() !== 'http' || options === false) return next.handle();
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const found = this.registry.find(options.cache);
    if (found === undefined || !mayBeShared(request)) return next.handle();
    if (OTHER_ANSWERS.some((key) => Reflect.hasMetadata(key, handler))) return next.handle();
    return from(this.#answer(scopeOf(found, entryOf(options)), options, request, context, next));
  }

  async #answer(
    scope: Scope,
    { varyBy = [] }: TurboCacheRouteOptions,
    request: HttpRequest,
    context: ExecutionContext,
    next: CallHandler,
  ): Promise<unknown> {
    const response = context.switchToHttp().getResponse<HttpResponse>();
    const call = new MethodCall(context.getClass().prototype as object, context.getHandler().name, []);
    const before = { ...response.getHeaders() };
    let own: { readonly body: unknown } | undefined;
    const handle = async (): Promise<CapturedResponse | Refusal> => {
      own = { body: await lastValueFrom(next.handle(), { defaultValue: undefined }) };
      return capture(response, before, own.body, varyBy);
    };
    const key = limitKey(requestKey(request, varyBy), scope.hashKeysAbove);
    const answer = await readThrough(scope, key, call, handle, (load, { result }) => {
      if (result === REFUSED) load.skip();
    });

    // The headers that the handler set the first time come before ours.
    if (own === undefined && isCaptured(answer)) {
      for (const [name, value] of Object.entries(answer.headers)) this.#setHeader(response, name, value);
    }
    if (varyBy.length > 0) this.#setHeader(response, 'Vary', withVary(response.getHeaders()['vary'], varyBy));
    this.#setHeader(response, 'X-Cache', own === undefined && isCaptured(answer) ? 'HIT' : 'MISS');
    if (own !== undefined) return own.body;
    if (!isCaptured(answer)) return lastValueFrom(next.handle(), { defaultValue: undefined });
    return answer.body;
  }

  #setHeader(response: HttpResponse, name: string, value: string | string[]): void {
    (this.adapterHost.httpAdapter as unknown as HeaderSetter).setHeader(response, name, value);
  }
}

/** The part of Nest's adapter that sets a header on any server's response. */
interface HeaderSetter {
  setHeader(response: unknown, name: string, value: string | string[]): void;
}

function entryOf(options: TurboCacheRouteOptions): EntryOptions {
  return { ...freshnessOf(options), ...(options.tags === undefined ? {} : { tags: options.tags }) };
}

function isCaptured(answer: unknown): answer is CapturedResponse {
  return typeof answer === 'object' && answer !== null && 'body' in answer && 'headers' in answer;
}

/** What middleware has already said, CORS for one, stays. */
function withVary(present: unknown, names: readonly string[]): string {
  return [...new Set([...namesIn(present), ...names.map((name) => name.toLowerCase())])].join(', ');
}
