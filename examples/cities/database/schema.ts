import { PGlite } from '@electric-sql/pglite';
import { cube } from '@electric-sql/pglite/contrib/cube';
import { earthdistance } from '@electric-sql/pglite/contrib/earthdistance';

/** An empty PostgreSQL in the memory of this process, with the tables of places, of favourites, and of the cache's journal. */
export async function openDatabase(): Promise<PGlite> {
  const database = await PGlite.create({ extensions: { cube, earthdistance } });
  await database.exec(`
    create extension cube;
    create extension earthdistance;
    create table places (
      id         integer primary key,
      name       text not null,
      country    text not null,
      region     text not null,
      feature    text not null,
      population integer not null,
      latitude   double precision not null,
      longitude  double precision not null
    );
    create table favourites (
      tenant text not null,
      place  integer not null,
      primary key (tenant, place)
    );
    create table turbocache_evictions (
      id         text primary key,
      owner      text not null,
      evictions  text not null,
      created_at timestamptz not null default clock_timestamp()
    );`);
  return database;
}

/** The indexes a team would have for these queries, so that the cache is compared with a database that is well kept. */
export const INDEXES = [
  { what: 'index on country and population', sql: 'create index on places (country, population desc)' },
  { what: 'index on names', sql: 'create index on places ((lower(name) collate "C"))' },
  { what: 'index on positions', sql: 'create index on places using gist (ll_to_earth(latitude, longitude))' },
  { what: 'statistics for the planner', sql: 'vacuum analyze places' },
] as const;
