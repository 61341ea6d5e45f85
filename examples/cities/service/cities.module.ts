import { Module, type DynamicModule } from '@nestjs/common';
import { TurboCacheModule } from 'turbocache-js/nest';
import { CacheController } from './cache.controller';
import { CountriesController } from './countries/countries.controller';
import { CountriesService } from './countries/countries.service';
import { Database } from './database';
import { PlacesController } from './places/places.controller';
import { PlacesService } from './places/places.service';
import type { Settings } from './settings';

@Module({})
export class CitiesModule {
  static forRoot({ databasePort, redisUrl }: Settings): DynamicModule {
    return {
      module: CitiesModule,
      imports: [
        TurboCacheModule.forRoot({
          namespace: 'cities',
          ...(redisUrl === undefined ? {} : { redis: { url: redisUrl } }),
        }),
      ],
      controllers: [PlacesController, CountriesController, CacheController],
      providers: [
        { provide: Database, useFactory: () => Database.connect(databasePort) },
        PlacesService,
        CountriesService,
      ],
    };
  }
}
