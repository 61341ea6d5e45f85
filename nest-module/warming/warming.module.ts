/** `TurboCacheWarmingModule`: makes `@TurboCacheWarm` and `@TurboCacheRefreshAhead` do something. */
import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RegistryModule } from '../registry/registry.module';
import { WARMING_MODULE } from './warm';
import { TurboCacheWarming } from './warming';
import {
  CHECKED_OPTIONS,
  checkWarmingOptions,
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
} from './warming-options';

@Module({
  imports: [RegistryModule, DiscoveryModule],
  providers: [
    { provide: CHECKED_OPTIONS, useFactory: checkWarmingOptions, inject: [MODULE_OPTIONS_TOKEN] },
    { provide: WARMING_MODULE, useValue: true },
    TurboCacheWarming,
  ],
  exports: [TurboCacheWarming, WARMING_MODULE],
})
export class TurboCacheWarmingModule extends ConfigurableModuleClass {
  /** Once an application. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return { ...super.forRoot(options), global: true };
  }
}
