import { Injectable } from '@nestjs/common';
import { TurboCache } from 'turbocache-js/nest';
import { Database } from '../database';
import type { CountryRank, CountryStatistics } from './country';

@Injectable()
export class CountriesService {
  constructor(private readonly database: Database) {}

  /** All countries, the most populous first, by their places of at least `minimum` inhabitants: one pass over the whole table. */
  @TurboCache({ key: 'ranking:#{minimum}', ttl: '10m', tags: ['ranking'] })
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

  /** `null` for a country without places. */
  @TurboCache({ key: 'country:#{country}', ttl: '10m', tags: ['country:#{country}'] })
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
