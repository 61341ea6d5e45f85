/** One country in the ranking of all countries. */
export interface CountryRank {
  rank: number;
  country: string;
  places: number;
  population: number;
}

/** What the places of one country come to. */
export interface CountryStatistics {
  country: string;
  places: number;
  regions: number;
  population: number;
  averagePopulation: number;
  medianPopulation: number;
  largest: { id: number; name: string; population: number }[];
}
