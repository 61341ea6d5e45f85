/** A contestant handed back something else than was stored: nothing that it measured counts. */
export class WrongValue extends Error {
  name = 'WrongValue';
}
