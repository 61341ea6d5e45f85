/** The part of a country that a place is in. */
export interface Region {
  country: string;
  region: string;
  places: number;
  population: number;
}
