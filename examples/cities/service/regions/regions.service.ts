import { Injectable } from '@nestjs/common';
import { defer, map, type Observable } from 'rxjs';
import { TurboCache, TurboCacheKey } from 'turbocache-js/nest';
import { Database } from '../database';
import type { Place } from '../places/place';
import type { Region } from './region';

@Injectable()
export class RegionsService {
  constructor(private readonly database: Database) {}

  /**
   * The region of a place: of all that is known of the place, only country and region count, so its neighbours share one entry. It
   * goes with the figures of the country. An Observable stays one: the cache is asked, or the database, when somebody subscribes.
   */
  @TurboCache({ cache: 'countries', tags: ['country:#{place.country}'], returns: 'observable' })
  of(@TurboCacheKey('country') @TurboCacheKey('region') place: Place): Observable<Region> {
    const { country, region } = place;
    return defer(() =>
      this.database.query<Pick<Region, 'places' | 'population'>>(
        `select count(*)::int as places, coalesce(sum(population), 0)::float8 as population
           from places
          where country = $1 and region = $2`,
        [country, region],
      ),
    ).pipe(map(([figures]) => ({ country, region, places: 0, population: 0, ...figures })));
  }
}
