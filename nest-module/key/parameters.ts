/**
 * The names a method gives to its arguments, read from its source once, when the class is defined. Source is only ever
 * read, never run: a default value stays unknown, and the key says "left out" instead.
 */
import { Scanner } from './scanner';

/** One name of a parameter list and the way from the arguments to its value. */
export interface ParameterName {
  readonly name: string;
  readonly index: number;
  /** Steps from the argument to the value, for a destructured parameter. */
  readonly path: readonly string[];
  /** The name or a pattern around it has a default value, so its argument may be left out. */
  readonly hasDefault: boolean;
  /** `...name`: the remaining arguments, the elements of an array pattern from here on, or the fields not named before it. */
  readonly rest?: 'arguments' | { readonly from: number } | { readonly without: readonly string[] };
}

export interface ParameterList {
  readonly names: readonly ParameterName[];
  /** Number of parameters; `Infinity` when the last one collects the rest. */
  readonly count: number;
}

/** The parameters of a function, or `undefined` when its source does not show them (bound and native functions). */
export function parametersOf(method: (...args: never[]) => unknown): ParameterList | undefined {
  const source = Function.prototype.toString.call(method);
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source)) return undefined;
  const scanner = new Scanner(source);
  const single = skipToParameters(scanner);
  if (single !== undefined) return { names: [{ name: single, index: 0, path: [], hasDefault: false }], count: 1 };
  return readList(scanner);
}

/** Moves behind the opening bracket; gives the name when an arrow function has one parameter and no bracket. */
function skipToParameters(scanner: Scanner): string | undefined {
  let word: string | undefined;
  while (!scanner.done) {
    const next = scanner.peek();
    if (next === '(') {
      scanner.take('(');
      return undefined;
    }
    if (scanner.take('=>')) return word;
    if (next === '[') scanner.skipBrackets();
    else if (scanner.takeString() === undefined) {
      word = scanner.takeIdentifier();
      if (word === undefined) scanner.position += 1;
    }
  }
  return undefined;
}

function readList(scanner: Scanner): ParameterList {
  const names: ParameterName[] = [];
  let index = 0;
  while (!scanner.done && !scanner.take(')')) {
    if (scanner.take('...')) {
      readRest(scanner, { index, path: [], hasDefault: false, rest: 'arguments' }, names);
      return { names, count: Infinity };
    }
    readBinding(scanner, { index, path: [], hasDefault: false }, names);
    scanner.take(',');
    index += 1;
  }
  return { names, count: index };
}

type Place = Omit<ParameterName, 'name'>;

/** One binding: a name or a pattern, with or without a default value. */
function readBinding(scanner: Scanner, place: Place, names: ParameterName[]): void {
  const first = names.length;
  if (scanner.take('{')) readObject(scanner, place, names);
  else if (scanner.take('[')) readArray(scanner, place, names);
  else {
    const name = scanner.takeIdentifier();
    if (name === undefined) scanner.position += 1;
    else names.push({ name, ...place });
  }
  if (!scanner.take('=')) return;
  scanner.skipExpression();
  for (let i = first; i < names.length; i += 1) names[i] = { ...(names[i] as ParameterName), hasDefault: true };
}

/** `...name`. A pattern behind the dots takes the rest apart again; nobody writes that, and `#{0}` still works. */
function readRest(scanner: Scanner, place: Place, names: ParameterName[]): void {
  const next = scanner.peek();
  readBinding(scanner, place, next === '[' || next === '{' ? [] : names);
}

function readObject(scanner: Scanner, place: Place, names: ParameterName[]): void {
  const fields: string[] = [];
  while (!scanner.done && !scanner.take('}')) {
    if (scanner.take('...')) readRest(scanner, { ...place, rest: { without: [...fields] } }, names);
    else if (scanner.peek() === '[') readComputed(scanner);
    else readField(scanner, place, names, fields);
    scanner.take(',');
  }
}

function readField(scanner: Scanner, place: Place, names: ParameterName[], fields: string[]): void {
  const start = scanner.position;
  const field = scanner.takeString() ?? scanner.takeNumber() ?? scanner.takeIdentifier();
  if (field === undefined) {
    scanner.position += 1;
    return;
  }
  fields.push(field);
  if (!scanner.take(':')) scanner.position = start;
  readBinding(scanner, { ...place, path: [...place.path, field] }, names);
}

/** `{ [expression]: name }`: the field is not known before the call, so the name cannot be used in a key. */
function readComputed(scanner: Scanner): void {
  scanner.skipBrackets();
  scanner.take(':');
  readBinding(scanner, { index: 0, path: [], hasDefault: false }, []);
}

function readArray(scanner: Scanner, place: Place, names: ParameterName[]): void {
  let element = 0;
  while (!scanner.done && !scanner.take(']')) {
    if (scanner.take(',')) {
      element += 1;
      continue;
    }
    if (scanner.take('...')) readRest(scanner, { ...place, rest: { from: element } }, names);
    else readBinding(scanner, { ...place, path: [...place.path, String(element)] }, names);
  }
}
