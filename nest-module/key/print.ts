/**
 * How one value looks inside a key. Different values look different, so that two calls never meet in one key (law 11):
 *
 * - numbers, booleans and bigints are plain (`42`, `true`, `42n`), strings are plain too (`oslo`);
 * - a string that would read as one of those carries a tilde (`'42'` is `~42`), and so does one that begins with a tilde;
 * - everything else begins with a tilde that no string can have: `~undefined`, `~null`, `~NaN`, `~{"a":1}`;
 * - `%`, `:`, control characters, lone surrogates, and the character that ends the slot are percent-encoded.
 *
 * `-0` and `0` are the same number to every caller and the same text here.
 */
import { canonical, NotPrintable } from './canonical';

export { NotPrintable };

/** `:` is always encoded: with the usual separator, keys of different templates cannot meet either. */
// eslint-disable-next-line no-control-regex -- control characters are what it is about
const ALWAYS_ENCODED = /[%:\u0000-\u001f\u007f]|\p{Surrogate}/u;
const READS_AS_ANOTHER_TYPE = /^(?:-?\d|-?\.\d|true$|false$|~)/;

const [SPACE, PERCENT, COLON, TILDE] = [0x20, 0x25, 0x3a, 0x7e];
/** Digits, and the signs and points that a number may begin with, are below it. */
const ABOVE_DIGITS = 0x3a;

/** Prints values for one slot; `separator` is the character that ends the slot, if another slot follows. */
export type Printer = (value: unknown) => string;

export function printerFor(separator: string | undefined): Printer {
  const special = encodedBesides(separator);
  const everywhere = new RegExp(special, 'gu');
  const ending = separator?.charCodeAt(0) ?? COLON;
  return (value) => {
    // Digits are never a separator: the usual id costs no look at its characters.
    if (Number.isSafeInteger(value) && (value as number) >= 0) return String(value);
    if (typeof value === 'string' && isPlain(value, ending)) return value;
    if (typeof value === 'number' && Number.isFinite(value)) return encode(String(value), special, everywhere);
    const text = typeof value === 'string' ? markString(value) : printOther(value);
    return encode(text, special, everywhere);
  };
}

function encodedBesides(separator: string | undefined): RegExp {
  if (separator === undefined || separator === ':') return ALWAYS_ENCODED;
  const code = separator.codePointAt(0) ?? 0;
  return new RegExp(`${ALWAYS_ENCODED.source}|\\u{${code.toString(16)}}`, 'u');
}

/**
 * Whether a text is its own form, seen at a glance: short, ASCII, nothing to encode, and no other type's form. A look at
 * each character costs a fifth of the two expressions below it.
 */
function isPlain(text: string, ending: number): boolean {
  const first = text.charCodeAt(0);
  if (text.length > 40 || first === TILDE || first < ABOVE_DIGITS || text === 'true' || text === 'false') return false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= SPACE || code > TILDE || code === PERCENT || code === COLON || code === ending) return false;
  }
  return true;
}

function encode(text: string, special: RegExp, everywhere: RegExp): string {
  return special.test(text) ? text.replace(everywhere, encodeCharacter) : text;
}

/** `%3A`, or `%u002028` above one byte: fixed lengths, and nothing in them could be a separator. */
function encodeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16).toUpperCase();
  return code < 0x100 ? `%${digits.padStart(2, '0')}` : `%u${digits.padStart(6, '0')}`;
}

function markString(text: string): string {
  return READS_AS_ANOTHER_TYPE.test(text) && mustBeMarked(text) ? `~${text}` : text;
}

function mustBeMarked(text: string): boolean {
  if (text.startsWith('~') || text === 'true' || text === 'false') return true;
  return String(Number(text)) === text || /^-?\d+n$/.test(text);
}

function printOther(value: unknown): string {
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'bigint':
      return `${value}n`;
    default:
      return `~${canonical(value)}`;
  }
}
