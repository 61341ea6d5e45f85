/** One place as the service answers it. */
export interface Place {
  id: number;
  name: string;
  country: string;
  region: string;
  feature: string;
  population: number;
  latitude: number;
  longitude: number;
}

/** A place with its distance from the point that was asked for. */
export interface NearbyPlace extends Place {
  kilometres: number;
}

/** The event: its payload is the {@link Place} as it is now. */
export const PLACE_CHANGED = 'place.changed';

/** What may be changed. A field that is left out stays as it is. */
export interface PlaceChanges {
  name?: string;
  population?: number;
}
