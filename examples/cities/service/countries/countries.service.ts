import { Injectable } from '@nestjs/common';
import { TurboCacheEvictOn } from 'turbocache-js/events';
import { TurboCache, TurboCacheDefaults } from 'turbocache-js/nest';
import { TurboCacheRefreshAhead, TurboCacheWarm } from 'turbocache-js/warming';
import { Database } from '../database';
import { PLACE_CHANGED } from '../places/place';
import type { CountryRank, CountryStatistics } from './country';

/** Its entries are in a cache of their own. Whoever changes a place need not know of them: this class says what makes them old. */
@Injectable()
@TurboCacheDefaults({ cache: 'countries' })
@TurboCacheEvictOn(PLACE_CHANGED, { cache: 'countries', tags: ['country:#{payload.country}', 'ranking'] })
export class CountriesService {
  constructor(private readonly database: Database) {}

  /**
   * All countries, the most populous first, by their places of at least `minimum` inhabitants: one pass over the whole table. The whole
   * ranking is there before the first request, and is made anew each night.
   */
  @TurboCacheWarm({ on: ['startup', '0 4 * * *'], args: [[0]], blocking: true })
  @TurboCache({ key: 'ranking:#{minimum}', tags: ['ranking'] })
  async ranking(minimum: number): Promise<CountryRank[]> {
    return this.database.query<CountryRank>(
      `select (rank() over (order by sum(population) desc))::int as rank,
              country,
              count(*)::int as places,
              sum(population)::float8 as population
         from places
        where population >= $1
        group by country
        order by rank, country`,
      [minimum],
    );
  }

  /**
   * `null` for a country without places. The twenty that are asked for most are loaded again before they are old; and
   * those that people ask for every day at this hour are there before it begins.
   */
  @TurboCacheRefreshAhead({ keys: 20, predict: true })
  @TurboCache({ key: 'country:#{country}', tags: ['country:#{country}'] })
  async statistics(country: string): Promise<CountryStatistics | null> {
    const [statistics] = await this.database.query<CountryStatistics>(
      `select country,
              count(*)::int as places,
              count(distinct region)::int as regions,
              sum(population)::float8 as population,
              round(avg(population))::float8 as "averagePopulation",
              percentile_cont(0.5) within group (order by population) as "medianPopulation",
              (select json_agg(top)
                 from (select id, name, population from places where country = $1 order by population desc limit 5) as top) as largest
         from places
        where country = $1
        group by country`,
      [country],
    );
    return statistics ?? null;
  }
}
