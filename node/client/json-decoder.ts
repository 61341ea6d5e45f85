/** Decodes the JSON of one namespace: texts of shapes that came often by a decoder of their own, others by `JSON.parse`. */
import { Letters } from './codec';
import { JsonScanner } from './json-scanner';
import { shapeDecoder, type ShapeDecoder } from './json-shape';
import { textBuffer, type TextBuffer } from './text';

/** Longer texts are left to `JSON.parse`: strings of a decoded value share the memory of its text, as long as one is held. */
const LONGEST_TEXT = 8 << 10;
/** Shapes at a time. */
const MOST_SHAPES = 4;
/** So many texts of no known shape come before one is learned; twice as many before the next, so that learning ends. */
const FIRST_LESSON = 64;
const LAST_LESSON = 2 ** 20;
/** A shape that was not seen for so many texts of unknown shapes is forgotten. */
const PATIENCE = 256;

interface Shape {
  readonly decode: ShapeDecoder;
  patience: number;
}

/** Of all decoders of this isolate: they hold nothing between two calls that anybody needs. */
const scanner = new JsonScanner();
const written = textBuffer(new ArrayBuffer(LONGEST_TEXT));

export class JsonDecoder {
  /** The one that decoded last comes first. */
  private readonly shapes: Shape[] = [];
  private untilLesson = FIRST_LESSON;
  private lesson = FIRST_LESSON;

  /** Throws a `SyntaxError` for what is no JSON. `letters` may be less than what is true. */
  decode(bytes: TextBuffer, start: number, end: number, letters: Letters): unknown {
    if (end - start > LONGEST_TEXT) return parse(bytes, start, end, letters);
    if (this.shapes.length === 0) return this.learn(parse(bytes, start, end, letters));
    const text = bytes.latin1Slice(start, end);
    const value = this.ofShape(bytes, start, end, text, letters);
    if (value !== undefined) return value;
    return this.learn(letters === Letters.Any ? parse(bytes, start, end, letters) : JSON.parse(text));
  }

  /** The same for a text that this isolate has made. */
  decodeText(text: string): unknown {
    if (text.length > LONGEST_TEXT) return JSON.parse(text);
    if (this.shapes.length === 0 || written.utf8Write(text, 0, LONGEST_TEXT) !== text.length) {
      return this.learn(JSON.parse(text));
    }
    return this.ofShape(written, 0, text.length, text, Letters.Any) ?? this.learn(JSON.parse(text));
  }

  /** `undefined` for a text of no known shape. `text` is Latin-1. */
  private ofShape(bytes: TextBuffer, start: number, end: number, text: string, letters: Letters): unknown {
    const { shapes } = this;
    for (let index = 0; index < shapes.length; index++) {
      const shape = shapes[index]!;
      scanner.begin(bytes, start, end, text, letters === Letters.Plain);
      const value = shape.decode(scanner, bytes, start, end);
      if (value === undefined) continue;
      shape.patience = PATIENCE;
      if (index > 0) {
        shapes[index] = shapes[0]!;
        shapes[0] = shape;
      }
      return value;
    }
    return undefined;
  }

  /** Takes notice of a value of no known shape. */
  private learn(value: unknown): unknown {
    for (let index = this.shapes.length - 1; index >= 0; index--) {
      if (--this.shapes[index]!.patience === 0) this.shapes.splice(index, 1);
    }
    if (--this.untilLesson > 0 || this.shapes.length === MOST_SHAPES) return value;
    this.lesson = Math.min(2 * this.lesson, LAST_LESSON);
    this.untilLesson = this.lesson;
    const decode = shapeDecoder(value);
    if (decode !== undefined) this.shapes.unshift({ decode, patience: PATIENCE });
    return value;
  }
}

function parse(bytes: TextBuffer, start: number, end: number, letters: Letters): unknown {
  return JSON.parse(letters === Letters.Any ? bytes.utf8Slice(start, end) : bytes.latin1Slice(start, end));
}
