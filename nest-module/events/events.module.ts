/** `TurboCacheEventsModule`: listens to the application's events, to Redis channels and streams, and drops what they make old. */
import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RegistryModule } from '../registry/registry.module';
import { ChannelListener } from './channels';
import { EmitterListener } from './emitter';
import { TurboCacheEvents } from './events';
import { CHECKED_OPTIONS } from './events.tokens';
import {
  type ASYNC_OPTIONS_TYPE,
  checkEventsOptions,
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
} from './events-options';
import { EVENTS_MODULE } from './evict-on';
import { StreamListener } from './streams';

@Module({
  imports: [RegistryModule, DiscoveryModule],
  providers: [
    { provide: CHECKED_OPTIONS, useFactory: checkEventsOptions, inject: [MODULE_OPTIONS_TOKEN] },
    { provide: EVENTS_MODULE, useValue: true },
    TurboCacheEvents,
    EmitterListener,
    ChannelListener,
    StreamListener,
  ],
  exports: [TurboCacheEvents, EVENTS_MODULE],
})
export class TurboCacheEventsModule extends ConfigurableModuleClass {
  /** Once an application. Rules may also stand on classes, with `@TurboCacheEvictOn`. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return { ...super.forRoot(options), global: true };
  }

  /** The same with options that depend on providers, e.g. the subscriber. */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return { ...super.forRootAsync(options), global: true };
  }
}
