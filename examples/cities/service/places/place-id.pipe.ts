import { BoundedNumberPipe } from '../bounded-number.pipe';

/** The id of a place in a path. A number from here on: `place:42` and `place:~42` are two keys. */
export const PLACE_ID = new BoundedNumberPipe({ min: 1, max: 2_147_483_647, whole: true });
