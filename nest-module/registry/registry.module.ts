/** One registry an application, seen by every module: decorated classes find it wherever they live. */
import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RouteExplorer } from '../interceptor/route-explorer';
import { CacheExplorer } from './cache-explorer';
import { CacheRegistry } from './cache-registry';

@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [CacheRegistry, CacheExplorer, RouteExplorer],
  exports: [CacheRegistry],
})
export class RegistryModule {}
