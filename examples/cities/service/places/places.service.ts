import { Injectable, NotFoundException } from '@nestjs/common';
import { TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import { Database } from '../database';
import type { NearbyPlace, Place, PlaceChanges } from './place';

const COLUMNS = 'id, name, country, region, feature, population, latitude, longitude';

@Injectable()
export class PlacesService {
  constructor(private readonly database: Database) {}

  /** `null` for a place that is not there, which is cached as well. */
  @TurboCache({ key: 'place:#{id}', ttl: '1h' })
  async byId(id: number): Promise<Place | null> {
    const [place] = await this.database.query<Place>(`select ${COLUMNS} from places where id = $1`, [id]);
    return place ?? null;
  }

  /**
   * The `count` places nearest to a point, by an index scan in the order of distance. Places do not move: only a change of
   * one that is in the answer can make it stale, so the answer is tagged with those.
   */
  @TurboCache({
    key: 'nearest:#{latitude}:#{longitude}:#{count}',
    ttl: '1h',
    tags: ({ result }: { result: NearbyPlace[] }) => result.map(({ id }) => `place:${id}`),
  })
  async nearest(latitude: number, longitude: number, count: number): Promise<NearbyPlace[]> {
    return this.database.query<NearbyPlace>(
      `select ${COLUMNS},
              round((earth_distance(ll_to_earth(latitude, longitude), ll_to_earth($1, $2)) / 1000)::numeric, 3)::float8 as kilometres
         from places
        order by ll_to_earth(latitude, longitude) <-> ll_to_earth($1, $2)::cube
        limit $3`,
      [latitude, longitude, count],
    );
  }

  /**
   * The most populous places whose name begins with `prefix`, whatever its case. A change of name or population can bring a
   * place into any of these lists, so they all go together.
   */
  @TurboCache({ key: 'search:#{prefix}:#{count}', ttl: '10m', tags: ['search'] })
  async search(prefix: string, count: number): Promise<Place[]> {
    return this.database.query<Place>(
      `select ${COLUMNS}
         from places
        where lower(name) collate "C" ^@ lower($1)
        order by population desc, id
        limit $2`,
      [prefix, count],
    );
  }

  /** The place is cached as it is now; everything that was computed from it is dropped. */
  @TurboCachePut({ key: 'place:#{id}', ttl: '1h' })
  @TurboCacheEvict({ tags: ['place:#{id}', 'search', 'country:#{result.country}', 'ranking'] })
  async update(id: number, changes: PlaceChanges): Promise<Place> {
    const [place] = await this.database.query<Place>(
      `update places set name = coalesce($2, name), population = coalesce($3, population) where id = $1 returning ${COLUMNS}`,
      [id, changes.name ?? null, changes.population ?? null],
    );
    if (place === undefined) throw new NotFoundException(`place ${id}: not found`);
    return place;
  }
}
