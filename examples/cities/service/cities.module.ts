import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { GraphQLModule } from '@nestjs/graphql';
import { ScheduleModule } from '@nestjs/schedule';
import { TerminusModule } from '@nestjs/terminus';
import type { Cache } from 'turbocache-js';
import { TurboCacheEventsModule } from 'turbocache-js/events';
import { TurboCacheKeyValueCache } from 'turbocache-js/graphql';
import { TurboCacheHealthIndicator } from 'turbocache-js/health';
import { getCacheToken, TurboCacheContextModule, TurboCacheModule } from 'turbocache-js/nest';
import { TurboCacheWarmingModule } from 'turbocache-js/warming';
import { AtlasController } from './atlas/atlas.controller';
import { AtlasService } from './atlas/atlas.service';
import { CacheController } from './cache.controller';
import { CountriesController } from './countries/countries.controller';
import { CountriesService } from './countries/countries.service';
import { Database, JOURNAL } from './database';
import { FavouritesModule } from './favourites/favourites.module';
import { PlacesResolver } from './graphql/places.resolver';
import { HealthController } from './health.controller';
import { Imports } from './imports';
import { PlacesController } from './places/places.controller';
import { PlacesService } from './places/places.service';
import { RegionsController } from './regions/regions.controller';
import { RegionsService } from './regions/regions.service';
import { localeOf, tenantOf } from './request-values';
import type { Settings } from './settings';

@Module({})
export class CitiesModule {
  static forRoot({ databasePort, redisUrl }: Settings): DynamicModule {
    const redis = redisUrl === undefined ? {} : { redis: { url: redisUrl } };
    return {
      module: CitiesModule,
      imports: [
        SourcesModule.forRoot({ databasePort, redisUrl }),

        // Tenant and language are known wherever something is cached. Guards ask for them, so the middleware opens the context.
        TurboCacheContextModule.forRoot({ middleware: true, values: { tenant: tenantOf, locale: localeOf } }),

        // One manager for data, one with limits of its own for pages, and a cache of the first one with a ttl of its own.
        TurboCacheModule.forRoot({ namespace: 'cities', ...redis }),
        TurboCacheModule.forRoot({ name: 'pages', namespace: 'cities-pages', memory: { maxBytes: '16mb' }, ...redis }),
        // Since version 2 the figures of a country have a median: a deploy that does not know of it keeps its own while both run.
        TurboCacheModule.forFeature([{ name: 'countries', ttl: '10m', version: 2 }]),

        EventEmitterModule.forRoot(),
        TurboCacheEventsModule.forRootAsync({ inject: [Imports], useFactory: ({ options }: Imports) => options }),
        ScheduleModule.forRoot(),
        TurboCacheWarmingModule.forRoot({ concurrency: 2, onProgress: () => undefined }),
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: ApolloDriver,
          imports: [TurboCacheModule.forFeature([{ name: 'apollo', ttl: '1d' }])],
          inject: [getCacheToken('apollo')],
          // Clients send the hash of a query that one of the processes has seen: all of them know it.
          useFactory: (cache: Cache) => ({
            autoSchemaFile: true,
            playground: false,
            cache: new TurboCacheKeyValueCache(cache),
          }),
        }),
        TerminusModule,
        FavouritesModule,
      ],
      controllers: [
        PlacesController,
        RegionsController,
        CountriesController,
        AtlasController,
        CacheController,
        HealthController,
      ],
      providers: [
        PlacesService,
        RegionsService,
        CountriesService,
        AtlasService,
        PlacesResolver,
        TurboCacheHealthIndicator,
      ],
    };
  }
}

/** Where data and news come from. */
@Global()
@Module({})
class SourcesModule {
  static forRoot({ databasePort, redisUrl }: Settings): DynamicModule {
    return {
      module: SourcesModule,
      providers: [
        { provide: Database, useFactory: () => Database.connect(databasePort) },
        { provide: JOURNAL, useFactory: () => Database.connect(databasePort) },
        { provide: Imports, useFactory: () => new Imports(redisUrl) },
      ],
      exports: [Database, JOURNAL, Imports],
    };
  }
}
