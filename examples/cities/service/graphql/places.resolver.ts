import { Args, Context, Int, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import type { Cache } from 'turbocache-js';
import { TurboCacheField, TurboCacheLoader } from 'turbocache-js/graphql';
import { InjectCache } from 'turbocache-js/nest';
import { Database } from '../database';
import { PlacesService } from '../places/places.service';
import { CountryModel, PlaceModel } from './place.model';

@Resolver(() => PlaceModel)
export class PlacesResolver {
  private readonly countries: TurboCacheLoader<string, CountryModel>;

  constructor(
    private readonly database: Database,
    private readonly places: PlacesService,
    @InjectCache('countries') cache: Cache,
  ) {
    this.countries = new TurboCacheLoader(cache, {
      key: (code: string) => `summary:${code}`,
      load: (codes) => this.summaries(codes),
      tags: ['ranking'],
    });
  }

  @Query(() => [PlaceModel], { name: 'places' })
  search(
    @Args('prefix', { type: () => String }) prefix: string,
    @Args('count', { type: () => Int, defaultValue: 20 }) count: number,
  ): Promise<PlaceModel[]> {
    return this.places.search(prefix.toLowerCase(), count);
  }

  /** A hundred places ask for a hundred countries: one statement for those that the cache lacks. */
  @ResolveField('country', () => CountryModel)
  country(@Parent() { country }: PlaceModel, @Context() context: object): Promise<CountryModel> {
    return this.countries.of(context).load(country);
  }

  /** Cached by the parent's id and the arguments. */
  @ResolveField('neighbours', () => [PlaceModel])
  @TurboCacheField({ ttl: '1h' })
  async neighbours(
    @Parent() { id, latitude, longitude }: PlaceModel,
    @Args('count', { type: () => Int, defaultValue: 3 }) count: number,
  ): Promise<PlaceModel[]> {
    const near = await this.places.nearest(latitude, longitude, count + 1);
    return near.filter((place) => place.id !== id).slice(0, count);
  }

  private async summaries(codes: readonly string[]): Promise<CountryModel[]> {
    const rows = await this.database.query<CountryModel>(
      `select country, count(*)::int as places, sum(population)::float8 as population
         from places
        where country in (select json_array_elements_text($1::json))
        group by country`,
      [JSON.stringify(codes)],
    );
    const byCode = new Map(rows.map((row) => [row.country, row]));
    return codes.map((country) => byCode.get(country) ?? { country, places: 0, population: 0 });
  }
}
