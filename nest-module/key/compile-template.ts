/** A template, bound to the method it stands on: a function from a call to a text. Used for keys and for tags. */
import { decoratorError, type Place, type Site } from '../decorators/site';
import type { MethodCall } from '../method/call';
import { NotPrintable, type Printer, printerFor } from './print';
import { slotReader } from './reader';
import { parseTemplate, type Slot, type Template, TemplateProblem } from './template';

export type TextOf = (call: MethodCall) => string;

/** The same from the arguments alone, for usual templates and usual values; `undefined`: ask for the whole text. */
export type QuickText = (args: readonly unknown[]) => string | undefined;

export interface CompiledTemplate {
  readonly of: TextOf;
  readonly quick: QuickText | undefined;
}

export function compileTemplate(source: string, site: Site, option: string): CompiledTemplate {
  const template = parse(source, site, option);
  const [first = '', ...others] = template.literals;
  if (template.slots.length === 0 && first === '') {
    throw decoratorError(site, 'an empty text', { option, got: source, expected: 'a template such as "user:#{id}"' });
  }
  const parts = template.slots.map((slot, i) => compileSlot(slot, i, template, site, option));
  const of = (call: MethodCall): string => {
    let text = first;
    for (let i = 0; i < parts.length; i += 1) text += parts[i]!.textOf(call) + (others[i] ?? '');
    return text;
  };
  return { of, quick: quickText(first, parts, others) };
}

/** Most keys are a text around one or two arguments. */
function quickText(first: string, parts: readonly CompiledSlot[], others: readonly string[]): QuickText | undefined {
  const [one, two] = parts.map(({ quick }) => quick);
  const [between = '', end = ''] = others;
  if (parts.length === 0) return () => first;
  if (one === undefined || (parts.length === 2 && two === undefined) || parts.length > 2) return undefined;
  if (two === undefined) {
    return (args) => {
      const text = one(args);
      return text === undefined ? undefined : first + text + between;
    };
  }
  return (args) => {
    const [a, b] = [one(args), two(args)];
    return a === undefined || b === undefined ? undefined : first + a + between + b + end;
  };
}

/** `true` when the text depends on the name of the class. */
export function namesClass(source: string): boolean {
  return /#\{\s*class\s*\??\}/.test(source);
}

export function parse(source: string, site: Place, option: string): Template {
  try {
    return parseTemplate(source);
  } catch (error) {
    if (!(error instanceof TemplateProblem)) throw error;
    throw decoratorError(site, error.message, { option, got: source, expected: error.expected });
  }
}

interface CompiledSlot {
  readonly textOf: TextOf;
  /** For a slot that is an argument. */
  readonly quick: QuickText | undefined;
}

function compileSlot(slot: Slot, index: number, template: Template, site: Site, option: string): CompiledSlot {
  const { read, hasDefault, argument } = slotReader(slot, site, option);
  const print = printerFor(separatorAfter(index, template, site, option));
  const mayBeMissing = slot.optional || hasDefault;
  const textOf = (call: MethodCall): string => {
    const value = read(call);
    if ((value === undefined || value === null) && !mayBeMissing) throw missing(slot, value, call, site, option);
    return printValue(print, value, slot, call, site, option);
  };
  if (argument === undefined) return { textOf, quick: undefined };
  const quick: QuickText = (args) => {
    const value = args[argument];
    return typeof value === 'number' || typeof value === 'string' ? print(value) : undefined;
  };
  return { textOf, quick };
}

/** Two slots need a character between them that no value shows unencoded, else `a` + `bc` and `ab` + `c` would meet. */
function separatorAfter(index: number, { slots, literals }: Template, site: Site, option: string): string | undefined {
  const next = slots[index + 1];
  if (next === undefined) return undefined;
  const separator = /[^\p{L}\p{N}\p{M}%~]/u.exec(literals[index + 1] ?? '')?.[0];
  if (separator !== undefined) return separator;
  throw decoratorError(site, `nothing separates "#{${slots[index]?.text ?? ''}}" from "#{${next.text}}"`, {
    option,
    got: slots.map(({ text }) => `#{${text}}`).join(''),
    expected: 'punctuation between two slots, e.g. ":"',
  });
}

function missing(slot: Slot, value: unknown, call: MethodCall, site: Site, option: string): Error {
  return decoratorError({ ...site, className: call.className }, `"#{${slot.text}}" is ${String(value)} in this call`, {
    option,
    got: value,
    expected: `a value, or "#{${slot.text}?}" if it may be missing`,
  });
}

function printValue(print: Printer, value: unknown, slot: Slot, call: MethodCall, site: Site, option: string): string {
  try {
    return print(value);
  } catch (cause) {
    if (!(cause instanceof NotPrintable)) throw cause;
    throw decoratorError({ ...site, className: call.className }, `"#{${slot.text}}" holds ${cause.message}`, {
      option,
      expected:
        'data: a string, a number, a date, plain objects and arrays, or a class with visible fields or toJSON()',
      cause,
    });
  }
}
