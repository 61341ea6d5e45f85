/** `TurboCacheContextModule`: a context for every request of the application. */
import { type DynamicModule, type MiddlewareConsumer, Inject, Module, type NestModule } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { ConfigurationError } from '../client';
import type { ContextSource } from './context';
import { TurboCacheContextInterceptor } from './context.interceptor';
import { TurboCacheContextMiddleware } from './context.middleware';
import { CONTEXT_SOURCES } from './context.tokens';

export interface TurboCacheContextOptions {
  /** Where the values come from: functions of the request, asked when somebody needs the value. */
  values?: Readonly<Record<string, ContextSource>>;
  /**
   * `true`: the context is open before the guards too, for HTTP. It is opened for handlers in any case.
   * @default false
   */
  middleware?: boolean;
}

const OPTIONS = Symbol('turbocache:context-options');

@Module({})
export class TurboCacheContextModule implements NestModule {
  constructor(@Inject(OPTIONS) private readonly options: TurboCacheContextOptions) {}

  /** Once an application, before modules with interceptors that need the context. */
  static forRoot(options: TurboCacheContextOptions = {}): DynamicModule {
    check(options);
    return {
      module: TurboCacheContextModule,
      global: true,
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: CONTEXT_SOURCES, useValue: options.values ?? {} },
        { provide: APP_INTERCEPTOR, useClass: TurboCacheContextInterceptor },
        TurboCacheContextMiddleware,
      ],
      exports: [CONTEXT_SOURCES, TurboCacheContextMiddleware],
    };
  }

  configure(consumer: MiddlewareConsumer): void {
    if (this.options.middleware === true) consumer.apply(TurboCacheContextMiddleware).forRoutes('{*all}');
  }
}

function check(options: TurboCacheContextOptions): void {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrong('options', given, 'an object with `values`, `middleware`');
  }
  const { values, middleware, ...unknown } = given as Record<string, unknown>;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw wrong(name, unknown[name], '`values` or `middleware`');
  if (middleware !== undefined && typeof middleware !== 'boolean')
    throw wrong('middleware', middleware, 'true or false');
  if (values === undefined) return;
  if (typeof values !== 'object' || values === null) throw wrong('values', values, 'functions of the request, by name');
  for (const [value, source] of Object.entries(values)) {
    if (typeof source !== 'function') throw wrong(`values.${value}`, source, 'a function of the request');
  }
}

function wrong(option: string, got: unknown, expected: string): ConfigurationError {
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `TurboCacheContextModule: option "${option}" is ${got === null ? 'null' : typeof got}; expected ${expected}.`,
    { option, got, expected },
  );
}
