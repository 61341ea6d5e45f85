import { BadRequestException, Injectable } from '@nestjs/common';
import { TurboCache, TurboCacheContext, TurboCacheEvict, TurboCacheMemo } from 'turbocache-js/nest';
import { TurboCacheTransactions } from 'turbocache-js/transactions';
import { Database, type Statements } from '../database';
import type { Place } from '../places/place';

/** How many places a tenant may keep. */
const LIMIT = 20;

export interface CountryCount {
  country: string;
  places: number;
}

@Injectable()
export class FavouritesService {
  constructor(
    private readonly database: Database,
    private readonly transactions: TurboCacheTransactions,
  ) {}

  /** One entry a tenant: who it is comes from the request, not through every call. A request without a tenant is not cached. */
  @TurboCache({ key: 'favourites', varyBy: ['tenant'], ttl: '1h', tags: placesOf })
  async all(): Promise<Place[]> {
    return this.database.query<Place>(
      `select p.id, name, country, region, feature, population, latitude, longitude
         from favourites join places p on p.id = place
        where tenant = $1
        order by population desc`,
      [tenant()],
    );
  }

  /** How many of them are in each country. Its answers are cached whole, see the controller. */
  countries(): Promise<CountryCount[]> {
    return this.database.query<CountryCount>(
      `select country, count(*)::int as places
         from favourites join places p on p.id = place
        where tenant = $1
        group by country
        order by places desc, country`,
      [tenant()],
    );
  }

  /**
   * All of them or none. The cached list is dropped when the transaction is committed, and stays when it is not; so are the
   * answers of all tenants, of which there are few: once for the whole, by hand.
   */
  add(places: readonly number[]): Promise<number> {
    return this.database.transaction((transaction) =>
      this.transactions.within(transaction, async () => {
        for (const place of places) await this.addOne(transaction, place);
        await this.transactions.evictAfterCommit({ cache: 'pages', tags: ['favourites'] });
        return places.length;
      }),
    );
  }

  /** How many more may be added. Guard and handler both ask; a request counts once, and never what was true for another one. */
  @TurboCacheMemo('room for favourites')
  async room(): Promise<number> {
    const [row] = await this.database.query<{ count: number }>(
      'select count(*)::int as count from favourites where tenant = $1',
      [tenant()],
    );
    return LIMIT - (row?.count ?? 0);
  }

  @TurboCacheEvict({ key: 'favourites', varyBy: ['tenant'] })
  async addOne(transaction: Statements, place: number): Promise<void> {
    const added = await transaction.query(
      `insert into favourites select $1, id from places where id = $2 on conflict do nothing returning place`,
      [tenant(), place],
    );
    if (added.length === 0) throw new BadRequestException(`place ${place}: not found, or there already`);
  }
}

/** A change of one of the places makes the list old. */
function placesOf({ result }: { result: Place[] }): string[] {
  return result.map(({ id }) => `place:${id}`);
}

function tenant(): string {
  const name = TurboCacheContext.get<string>('tenant');
  if (name === undefined) throw new BadRequestException('x-tenant: expected the name of a tenant');
  return name;
}
