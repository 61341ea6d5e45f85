/** A template, bound to the method it stands on: a function from a call to a text. Used for keys and for tags. */
import { decoratorError, type Place, type Site } from '../decorators/site';
import type { MethodCall } from '../method/call';
import { NotPrintable, type Printer, printerFor } from './print';
import { type ArgumentSlot, type QuickKey, quickKey } from './quick-key';
import { slotReader } from './reader';
import { parseTemplate, type Slot, type Template, TemplateProblem } from './template';

export type TextOf = (call: MethodCall) => string;

export interface CompiledTemplate {
  readonly of: TextOf;
  readonly quick: QuickKey | undefined;
}

export function compileTemplate(source: string, site: Site, option: string): CompiledTemplate {
  const template = parse(source, site, option);
  const [first = '', ...others] = template.literals;
  if (template.slots.length === 0 && first === '') {
    throw decoratorError(site, 'an empty text', { option, got: source, expected: 'a template such as "user:#{id}"' });
  }
  const parts = template.slots.map((slot, i) =>
    compileSlot(slot, separatorAfter(i, template, site, option), site, option),
  );
  const of = (call: MethodCall): string => {
    let text = first;
    for (let i = 0; i < parts.length; i += 1) text += parts[i]!.textOf(call) + (others[i] ?? '');
    return text;
  };
  return { of, quick: quickKey(parts.map(argumentOf), template.literals) };
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

export interface CompiledSlot {
  readonly textOf: TextOf;
  readonly print: Printer;
  readonly argument: number | undefined;
}

/** `separator` ends the slot's text, if another slot follows. */
export function compileSlot(slot: Slot, separator: string | undefined, site: Site, option: string): CompiledSlot {
  const { read, hasDefault, argument } = slotReader(slot, site, option);
  const print = printerFor(separator);
  const mayBeMissing = slot.optional || hasDefault;
  const textOf = (call: MethodCall): string => {
    const value = read(call);
    if ((value === undefined || value === null) && !mayBeMissing) throw missing(slot, value, call, site, option);
    return printValue(print, value, slot, call, site, option);
  };
  return { textOf, print, argument };
}

function argumentOf({ argument, print }: CompiledSlot): ArgumentSlot | undefined {
  return argument === undefined ? undefined : { argument, print };
}

/** Two slots need a character between them that no value shows unencoded, else `a` + `bc` and `ab` + `c` would meet. */
function separatorAfter(index: number, template: Template, site: Site, option: string): string | undefined {
  const { slots, literals } = template;
  if (slots[index + 1] === undefined) return undefined;
  const separator = /[^\p{L}\p{N}\p{M}%~]/u.exec(literals[index + 1] ?? '')?.[0];
  if (separator !== undefined) return separator;
  throw missesSeparator(template, index, site, option);
}

export function missesSeparator({ slots }: Template, index: number, site: Site, option: string): Error {
  return decoratorError(
    site,
    `nothing separates "#{${slots[index]?.text ?? ''}}" from "#{${slots[index + 1]?.text ?? ''}}"`,
    {
      option,
      got: slots.map(({ text }) => `#{${text}}`).join(''),
      expected: 'punctuation between two slots, e.g. ":"',
    },
  );
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
