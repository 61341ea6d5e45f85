/**
 * Looks once, at start-up, at the routes that `@TurboCacheRoute` speaks of. One whose cache does not exist would silently run uncached:
 * the application does not start. One that no interceptor reads is told to `onError`.
 */
import { Inject, Injectable, type OnModuleInit, RequestMethod, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { decoratorError } from '../decorators/site';
import { placeOf } from '../method/place';
import { CacheRegistry } from '../registry/cache-registry';
import { missingCache } from '../registry/missing-cache';
import type { Handler } from './answerer';
import { type Route, routeOf } from './route';
import { routeOptionsOn } from './route-options';
import { TurboCacheInterceptor } from './turbocache.interceptor';

const DECORATOR = '@TurboCacheRoute';
/** Where Nest keeps the method of a route, and what `@UseInterceptors()` names. */
const METHOD = 'method';
const INTERCEPTORS = '__interceptors__';

interface Explored {
  readonly handler: Handler;
  readonly route: Route;
}

@Injectable()
export class RouteExplorer implements OnModuleInit {
  readonly #scanner = new MetadataScanner();

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(CacheRegistry) private readonly registry: CacheRegistry,
  ) {}

  onModuleInit(): void {
    const everywhere = this.#isProvided();
    const types = new Set(this.discovery.getControllers().map(({ metatype }) => metatype as Type | null));
    for (const type of types) {
      if (typeof type !== 'function') continue;
      const explored = [...this.#routesOf(type)];
      for (const each of explored) this.#checkCache(type, each);
      if (!everywhere) this.#checkInterceptors(type, explored);
    }
  }

  /** For all routes (`APP_INTERCEPTOR`, `useGlobalInterceptors`), or for an interceptor of the application's own: either needs it as a provider. */
  #isProvided(): boolean {
    return this.discovery.getProviders().some(({ metatype, instance }) => isOurs(metatype) || isOurs(instance));
  }

  *#routesOf(type: Type): Generator<Explored> {
    const prototype = type.prototype as Record<string, Handler>;
    for (const name of this.#scanner.getAllMethodNames(prototype)) {
      const handler = prototype[name]!;
      const method: unknown = Reflect.getMetadata(METHOD, handler);
      if (method !== RequestMethod.GET && method !== RequestMethod.ALL) continue;
      const route = routeOf(type, handler);
      if (route !== false && (speaks(handler) || speaks(type))) yield { handler, route };
    }
  }

  #checkCache(type: Type, { handler, route: { cache } }: Explored): void {
    if (this.registry.find(cache) !== undefined) return;
    throw missingCache({ decorator: DECORATOR, className: type.name, methodName: handler.name, cache });
  }

  /** What the controller says is in vain when it reaches none of its routes. */
  #checkInterceptors(type: Type, explored: readonly Explored[]): void {
    const [first] = explored;
    if (first === undefined || isBound(type)) return;
    const unbound = explored.filter(({ handler }) => !isBound(handler));
    for (const { handler, route } of unbound) if (speaks(handler)) this.#report(type, handler.name, route);
    if (speaks(type) && unbound.length === explored.length) this.#report(type, '*', first.route);
  }

  #report(type: Type, methodName: string, { cache }: Route): void {
    const error = decoratorError(placeOf(DECORATOR, type, methodName), 'no TurboCacheInterceptor reads it', {
      expected:
        '@UseInterceptors(TurboCacheInterceptor) on the handler or the controller, or the interceptor among the providers',
    });
    CacheRegistry.report(this.registry.find(cache)!, error, {
      operation: 'read',
      method: `${type.name}.${methodName}`,
    });
  }
}

function speaks(target: object): boolean {
  return typeof routeOptionsOn(target) === 'object';
}

function isBound(target: object): boolean {
  const interceptors: unknown = Reflect.getMetadata(INTERCEPTORS, target);
  return Array.isArray(interceptors) && interceptors.some(isOurs);
}

/** The class, one that extends it, or an object of either. */
function isOurs(value: unknown): boolean {
  if (typeof value !== 'function') return value instanceof TurboCacheInterceptor;
  return value === TurboCacheInterceptor || value.prototype instanceof TurboCacheInterceptor;
}
