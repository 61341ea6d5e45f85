/** `TurboCacheInterceptor`: whole responses of GET routes, for everybody or for those that the route tells apart. */
import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { isInTransaction } from '../eviction/transaction';
import { limitKey } from '../key/limit';
import type { MethodCall } from '../method/call';
import { type Decide, readThrough } from '../method/read-through';
import { reportFailure, type Scope, scopeOf } from '../method/scope';
import { CacheRegistry } from '../registry/cache-registry';
import { capture, type CapturedResponse, type HttpResponse, namesIn, REFUSED, type Refusal } from './captured-response';
import { isKnown } from './entity-tag';
import type { HttpRequest } from './http-request';
import { callOf, mayBeShared, requestKey } from './request-key';
import { type Route, routeOf } from './route';

@Injectable()
export class TurboCacheInterceptor implements NestInterceptor {
  readonly #scopes = new WeakMap<Route, Scope>();

  constructor(
    @Inject(CacheRegistry) private readonly registry: CacheRegistry,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const handler = context.getHandler();
    const route = routeOf(context.getClass(), handler);
    if (route === false) return next.handle();
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const found = this.registry.find(route.cache);
    if (found === undefined || !mayBeShared(request, route.vary) || isInTransaction()) return next.handle();
    const scope = this.#scopes.get(route) ?? scopeOf(found, route.entry);
    this.#scopes.set(route, scope);
    const call = callOf(request, context.getClass().prototype as object, handler.name);
    const key = keyOf(scope, request, call, route);
    if (key === undefined) return next.handle();
    const response = context.switchToHttp().getResponse<HttpResponse>();
    return from(this.#answer(new Exchange(this.#adapter, request, response, route), scope, key, call, next));
  }

  async #answer(exchange: Exchange, scope: Scope, key: string, call: MethodCall, next: CallHandler): Promise<unknown> {
    const { route } = exchange;
    let own: { readonly body: unknown } | undefined;
    const handle = async (): Promise<CapturedResponse | Refusal> => {
      own = { body: await lastValueFrom(next.handle(), { defaultValue: undefined }) };
      return exchange.capture(own.body);
    };
    const decide: Decide = (load, { result }) => {
      if (result === REFUSED) load.skip();
      else if (route.tagsOf !== undefined) load.setTags(route.tagsOf(call));
    };
    const answer = await readThrough(scope, key, call, handle, guarded(decide, scope));
    if (!isCaptured(answer)) {
      exchange.say('X-Cache', 'MISS');
      exchange.sayVary();
      return own === undefined ? lastValueFrom(next.handle(), { defaultValue: undefined }) : own.body;
    }
    if (own === undefined) exchange.repeat(answer, scope.shortcuts?.life(key));
    else exchange.say('X-Cache', 'MISS');
    return exchange.end(answer, own === undefined ? answer.body : own.body);
  }

  get #adapter(): Adapter {
    return this.adapterHost.httpAdapter;
  }
}

/** The part of Nest's adapter that speaks to any server's response. */
interface Adapter {
  setHeader(response: unknown, name: string, value: string | string[]): void;
  status(response: unknown, status: number): void;
}

/** One request and its response. */
class Exchange {
  readonly #before: Readonly<Record<string, unknown>>;

  constructor(
    private readonly adapter: Adapter,
    private readonly request: HttpRequest,
    private readonly response: HttpResponse,
    readonly route: Route,
  ) {
    this.#before = { ...response.getHeaders() };
  }

  capture(body: unknown): CapturedResponse | Refusal {
    return capture(this.response, this.#before, body, this.route.vary);
  }

  say(name: string, value: string | string[]): void {
    this.adapter.setHeader(this.response, name, value);
  }

  /** What middleware has already said, CORS for one, stays. */
  sayVary(): void {
    const { headers } = this.route.vary;
    if (headers.length === 0) return;
    this.say('Vary', [...new Set([...namesIn(this.response.getHeaders()['vary']), ...headers])].join(', '));
  }

  /** The headers of the first answer, and how old it is. */
  repeat({ headers }: CapturedResponse, life: { readonly age: number; readonly stale: boolean } | undefined): void {
    for (const [name, value] of Object.entries(headers)) this.say(name, value);
    this.say('X-Cache', life?.stale === true ? 'STALE' : 'HIT');
    if (life !== undefined) this.say('Age', String(Math.floor(life.age / 1_000)));
  }

  /** The body, or nothing for a client that has it. */
  end({ headers }: CapturedResponse, body: unknown): unknown {
    const { vary } = this.route;
    this.sayVary();
    // Whoever stands between here and the client knows nothing of users and tenants.
    if (vary.permitsCredentials && this.response.getHeaders()['cache-control'] === undefined) {
      this.say('Cache-Control', 'private');
    }
    const entityTag = String(headers['etag']);
    this.say('ETag', entityTag);
    if (!isKnown(this.request.headers['if-none-match'], entityTag)) return body;
    this.adapter.status(this.response, 304);
    return undefined;
  }
}

/** A key that cannot be made, or that the route's functions refuse to make, is no reason to fail the request. */
function keyOf(scope: Scope, request: HttpRequest, call: MethodCall, route: Route): string | undefined {
  try {
    const key = requestKey(request, call, route);
    return key === undefined ? undefined : limitKey(key, scope.hashKeysAbove);
  } catch (error) {
    reportFailure(scope, call, 'key', error);
    return undefined;
  }
}

/** An answer without its tags could not be dropped by them: it is not stored. */
function guarded(decide: Decide, scope: Scope): Decide {
  return (load, call) => {
    try {
      decide(load, call);
    } catch (error) {
      load.skip();
      reportFailure(scope, call, 'write', error);
    }
  };
}

function isCaptured(answer: unknown): answer is CapturedResponse {
  return typeof answer === 'object' && answer !== null && 'body' in answer && 'headers' in answer;
}
