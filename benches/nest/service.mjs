/**
 * One service process: the controllers and the SQL of examples/cities, with one kind of cache.
 *
 *     node benches/nest/service.mjs <kind>      DATABASE_PORT in the environment; its own port goes to the parent
 */
import 'reflect-metadata';
import { CACHE_MANAGER, CacheModule } from '@nestjs/cache-manager';
import { Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { CacheManager } from 'turbocache-js';
import { TurboCacheModule } from 'turbocache-js/nest';
import countriesController from '../../examples/cities/dist/service/countries/countries.controller.js';
import countriesService from '../../examples/cities/dist/service/countries/countries.service.js';
import database from '../../examples/cities/dist/service/database.js';
import placesController from '../../examples/cities/dist/service/places/places.controller.js';
import placesService from '../../examples/cities/dist/service/places/places.service.js';

const { CountriesController } = countriesController;
const { CountriesService } = countriesService;
const { Database } = database;
const { PlacesController } = placesController;
const { PlacesService } = placesService;
const TTL = 3_600_000;

/** `wrap` around each read, as its manual says; without a manager of ours the decorators below do nothing. */
function wrapping(Service, keys) {
  class Wrapped extends Service {
    constructor(database, cache) {
      super(database, undefined);
      this.cache = cache;
    }
  }
  for (const [method, key] of Object.entries(keys)) {
    Wrapped.prototype[method] = function (...args) {
      return this.cache.wrap(key(...args), () => Service.prototype[method].apply(this, args), TTL);
    };
  }
  Inject(Database)(Wrapped, undefined, 0);
  Inject(CACHE_MANAGER)(Wrapped, undefined, 1);
  return Wrapped;
}

const WrappedPlaces = wrapping(PlacesService, {
  byId: (id) => `place:${id}`,
  nearest: (latitude, longitude, count) => `nearest:${latitude}:${longitude}:${count}`,
  search: (prefix, count) => `search:${encodeURIComponent(prefix)}:${count}`,
});
const WrappedCountries = wrapping(CountriesService, {
  ranking: (minimum) => `ranking:${minimum}`,
  statistics: (country) => `country:${country}`,
});

const KINDS = {
  'no cache': { imports: [], providers: [PlacesService, CountriesService], clear: async () => {} },
  'turbocache-js': {
    imports: [
      TurboCacheModule.forRoot({ namespace: 'cities' }),
      TurboCacheModule.forFeature([{ name: 'countries', ttl: '10m' }]),
    ],
    providers: [PlacesService, CountriesService],
    clear: (app) => app.get(CacheManager).clear(),
  },
  '@nestjs/cache-manager': {
    imports: [CacheModule.register({ ttl: TTL, isGlobal: true })],
    providers: [
      { provide: PlacesService, useClass: WrappedPlaces },
      { provide: CountriesService, useClass: WrappedCountries },
    ],
    clear: (app) => app.get(CACHE_MANAGER).clear(),
  },
};

const { imports, providers, clear } = KINDS[process.argv[2]];
/** Statements that reached the database: what a cache saves, counted the same way for all. */
let statements = 0;
const connected = await Database.connect(Number(process.env.DATABASE_PORT));
const query = connected.query.bind(connected);
connected.query = (...args) => {
  statements += 1;
  return query(...args);
};

class App {}
Module({
  imports,
  controllers: [PlacesController, CountriesController],
  providers: [
    { provide: Database, useValue: connected },
    // Nothing is written or warmed here.
    { provide: EventEmitter2, useValue: {} },
    { provide: 'TurboCacheEventsModule', useValue: true },
    { provide: 'TurboCacheWarmingModule', useValue: true },
    ...providers,
  ],
})(App);
const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');

process.on('message', async (what) => {
  if (what === 'begin') {
    await clear(app);
    statements = 0;
    process.send({ cpu: process.cpuUsage() });
  } else process.send({ statements, cpu: process.cpuUsage() });
});
process.on('disconnect', () => void app.close());
process.send({ port: app.getHttpServer().address().port });
