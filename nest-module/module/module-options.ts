/** Options of the module, and the boilerplate of forRoot and forRootAsync made from them. */
import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { CacheManagerOptions, CacheOptions } from '../client';
import type { CacheFailureHandler } from '../registry/failure';

/** Options of one manager: those of `CacheManager`, and what the decorators need besides. */
export interface TurboCacheModuleOptions extends CacheManagerOptions {
  /** Told of everything that failed without a caller being told. @default one log line a method, operation and code */
  onError?: CacheFailureHandler;
  /** Keys of decorators longer than this many UTF-8 bytes end in a digest instead. @default 256 */
  hashKeysAbove?: number;
}

/** What must be known before the options of `forRootAsync` are: it decides about tokens. */
export interface TurboCacheModuleExtras {
  /** Name of a manager beside the default one; also its namespace, unless the options give another. */
  name?: string;
  /** `true`: `@InjectCache` works in every module. The decorators always do. @default false */
  isGlobal?: boolean;
}

/** For `useClass` and `useExisting` of `forRootAsync`. */
export interface TurboCacheOptionsFactory {
  createTurboCacheOptions(): TurboCacheModuleOptions | Promise<TurboCacheModuleOptions>;
}

/** A named cache in `forFeature`: its name, or name and options. */
export type FeatureCache = string | ({ name: string } & CacheOptions);

const EXTRAS: TurboCacheModuleExtras = { name: undefined, isGlobal: false } as unknown as TurboCacheModuleExtras;

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TurboCacheModuleOptions>({ moduleName: 'TurboCache' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createTurboCacheOptions')
    .setExtras<TurboCacheModuleExtras>(EXTRAS)
    .build();
