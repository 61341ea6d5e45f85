import type { WorldPlace } from '../data/world-places';
import type { CountryRank, CountryStatistics } from '../service/countries/country';
import type { Place } from '../service/places/place';
import { byId, nearest, ranking, search, statistics, type Query } from './workload';

/** How many people move to the place that the demo updates. */
export const NEWCOMERS = 1_000;

/** A query whose answer an update of a place's population changes, and the figure in the answer that must change by as much. */
export interface AffectedQuery extends Query {
  title: string;
  figure: (body: unknown) => number;
}

export function affectedQueries(place: WorldPlace): AffectedQuery[] {
  const ofPlace = (body: unknown): number => (body as Place[]).find(({ id }) => id === place.id)?.population ?? NaN;
  return [
    { title: 'place by id', ...byId(place.id), figure: (body) => (body as Place).population },
    { title: 'nearest 10 places', ...nearest(place.latitude, place.longitude), figure: ofPlace },
    { title: 'search by prefix', ...search(place.name.slice(0, 3).toLowerCase()), figure: ofPlace },
    {
      title: 'country statistics',
      ...statistics(place.country),
      figure: (body) => (body as CountryStatistics).population,
    },
    {
      title: 'ranking of countries',
      ...ranking(0),
      figure: (body) => (body as CountryRank[]).find(({ country }) => country === place.country)?.population ?? NaN,
    },
  ];
}
