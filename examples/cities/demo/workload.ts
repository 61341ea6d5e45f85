import type { WorldPlace } from '../data/world-places';

/** One method of the service, with its arguments. */
export type MethodCall =
  | { method: 'places.byId'; args: [id: number] }
  | { method: 'places.nearest'; args: [latitude: number, longitude: number, count: number] }
  | { method: 'places.search'; args: [prefix: string, count: number] }
  | { method: 'countries.statistics'; args: [country: string] }
  | { method: 'countries.ranking'; args: [minimum: number] };

/** One question: as a path of the REST interface, and as the method call that it comes to. */
export interface Query {
  path: string;
  call: MethodCall;
}

/** Distinct queries of one kind. */
export interface QueryKind {
  title: string;
  queries: Query[];
}

/** The purposes that queries are for. No two share a query, so that each asks everything for the first time. */
const PURPOSES = ['warm-up', 'rest', 'methods'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** How many distinct queries of a kind are made for one purpose, if the data has as many. */
const QUERIES = 100;
const RANKINGS = 20;

/** Real questions about the given places (largest first). */
export function workload(places: readonly WorldPlace[], purpose: Purpose): QueryKind[] {
  const share = <T>(all: readonly T[], count: number): T[] =>
    all.filter((_, index) => index % PURPOSES.length === PURPOSES.indexOf(purpose)).slice(0, count);
  const cities = share(places.slice(0, PURPOSES.length * QUERIES), QUERIES);
  const minimums = Array.from({ length: PURPOSES.length * RANKINGS }, (_, index) => (index + 1) * 500);
  return [
    { title: 'place by id', queries: cities.map(({ id }) => byId(id)) },
    { title: 'nearest 10 places', queries: cities.map(besides) },
    { title: 'search by prefix', queries: share(prefixes(places), QUERIES).map((prefix) => search(prefix)) },
    { title: 'country statistics', queries: share(countries(places), QUERIES).map(statistics) },
    { title: 'ranking of countries', queries: share(minimums, RANKINGS).map(ranking) },
  ];
}

export function byId(id: number): Query {
  return { path: `/places/${id}`, call: { method: 'places.byId', args: [id] } };
}

export function nearest(latitude: number, longitude: number, count = 10): Query {
  return {
    path: `/places/nearest?latitude=${latitude}&longitude=${longitude}&count=${count}`,
    call: { method: 'places.nearest', args: [latitude, longitude, count] },
  };
}

export function search(prefix: string, count = 20): Query {
  return {
    path: `/places/search?prefix=${encodeURIComponent(prefix)}&count=${count}`,
    call: { method: 'places.search', args: [prefix, count] },
  };
}

export function statistics(country: string): Query {
  return { path: `/countries/${country}`, call: { method: 'countries.statistics', args: [country] } };
}

export function ranking(minimum: number): Query {
  return { path: `/countries?minimum=${minimum}`, call: { method: 'countries.ranking', args: [minimum] } };
}

/** The ten places nearest to a point some kilometres beside the given place. */
function besides({ latitude, longitude }: WorldPlace): Query {
  const shift = (degrees: number): number => Number((degrees * 0.999).toFixed(4));
  return nearest(shift(latitude), shift(longitude));
}

/** The first three letters of the names of the largest places, each once. */
function prefixes(places: readonly WorldPlace[]): string[] {
  const long = places.filter(({ name }) => name.length >= 3);
  return [...new Set(long.map(({ name }) => name.slice(0, 3).trim().toLowerCase()))];
}

/** The countries, in the order of their largest place. */
function countries(places: readonly WorldPlace[]): string[] {
  return [...new Set(places.map(({ country }) => country))];
}
