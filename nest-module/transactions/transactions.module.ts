/** `TurboCacheTransactionsModule`: evictions follow the transactions of a database. */
import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RegistryModule } from '../registry/registry.module';
import { TurboCacheTransactions } from './transactions';
import { CHECKED_OPTIONS } from './transactions.tokens';
import {
  type ASYNC_OPTIONS_TYPE,
  checkTransactionsOptions,
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
} from './transactions-options';

@Module({
  imports: [RegistryModule, DiscoveryModule],
  providers: [
    { provide: CHECKED_OPTIONS, useFactory: checkTransactionsOptions, inject: [MODULE_OPTIONS_TOKEN] },
    TurboCacheTransactions,
  ],
  exports: [TurboCacheTransactions],
})
export class TurboCacheTransactionsModule extends ConfigurableModuleClass {
  /** Once an application. */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    return { ...super.forRoot(options), global: true };
  }

  /** The same with a source that needs providers: `inject: [DataSource], useFactory: (dataSource) => …`. */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return { ...super.forRootAsync(options), global: true };
  }
}
