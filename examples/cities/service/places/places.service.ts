import { Injectable, NotFoundException } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import { Database } from '../database';
import { type NearbyPlace, type Place, PLACE_CHANGED, type PlaceChanges } from './place';

const COLUMNS = 'id, name, country, region, feature, population, latitude, longitude';

@Injectable()
export class PlacesService {
  constructor(
    private readonly database: Database,
    private readonly events: EventEmitter2,
  ) {}

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
   * place into any of these lists, so they all go together. Who types a long prefix asks what nobody else asks: not worth an entry, and nor is
   * an empty list.
   */
  @TurboCache({
    key: 'search:#{prefix}:#{count}',
    ttl: '10m',
    tags: ['search'],
    condition: ({ args: [prefix] }) => (prefix as string).length <= 12,
    unless: ({ result }) => (result as Place[]).length === 0,
  })
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

  /** All lists of a prefix, however long they are. Nobody does this often: a pattern walks over all keys, where tags do not. */
  @TurboCacheEvict({ pattern: 'search:#{0}:*' })
  async forgetSearches(_prefix: string): Promise<void> {
    // The decorator does it.
  }

  /**
   * The place is cached as it is now; what this class has computed from it is dropped. Others hear of it and drop theirs, before
   * the caller has his answer.
   */
  @TurboCachePut({ key: 'place:#{id}', ttl: '1h' })
  @TurboCacheEvict({ tags: ['place:#{id}', 'search'] })
  async update(id: number, changes: PlaceChanges): Promise<Place> {
    const [place] = await this.database.query<Place>(
      `update places set name = coalesce($2, name), population = coalesce($3, population) where id = $1 returning ${COLUMNS}`,
      [id, changes.name ?? null, changes.population ?? null],
    );
    if (place === undefined) throw new NotFoundException(`place ${id}: not found`);
    await this.events.emitAsync(PLACE_CHANGED, place);
    return place;
  }
}
