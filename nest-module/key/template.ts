/**
 * The grammar of a key template: literal text and slots, `user:#{user.address.city}:#{lang?}`. Parsed once, when the
 * class is defined; there is no expression language and nothing is ever evaluated as code.
 */

/** `#{root.path.path?}` */
export interface Slot {
  /** As it was written, for messages. */
  readonly text: string;
  /** A parameter's name, an index, or `result`, `class`, `method`. */
  readonly root: string;
  readonly path: readonly string[];
  /** The slot ends in `?`: a missing value is printed as such instead of being an error. */
  readonly optional: boolean;
}

export interface Template {
  /** Always one more than there are slots: the text before, between and after them. */
  readonly literals: readonly string[];
  readonly slots: readonly Slot[];
}

/** What is wrong with a template, and what would be right; the caller knows which class and method it is about. */
export class TemplateProblem extends Error {
  constructor(
    message: string,
    readonly expected: string,
  ) {
    super(message);
  }
}

const PART = /^(?:[\p{ID_Start}$_][\p{ID_Continue}$]*|\d+)$/u;
/** A path never leaves the data: these lead to classes and prototypes. */
const REFUSED_PARTS = new Set(['__proto__', 'constructor', 'prototype']);

export function parseTemplate(template: string): Template {
  const literals: string[] = [];
  const slots: Slot[] = [];
  let position = 0;
  for (;;) {
    const open = template.indexOf('#{', position);
    if (open < 0) break;
    const close = template.indexOf('}', open);
    if (close < 0) throw new TemplateProblem(`"${template}" has a "#{" without its "}"`, 'every slot to be closed');
    literals.push(template.slice(position, open));
    slots.push(parseSlot(template.slice(open + 2, close).trim()));
    position = close + 1;
  }
  literals.push(template.slice(position));
  return { literals, slots };
}

function parseSlot(text: string): Slot {
  const optional = text.endsWith('?');
  const [root = '', ...path] = (optional ? text.slice(0, -1) : text).split('.');
  for (const part of [root, ...path]) {
    if (REFUSED_PARTS.has(part)) {
      throw new TemplateProblem(`"#{${text}}" walks through "${part}"`, 'a path of fields that hold data');
    }
    if (!PART.test(part)) {
      throw new TemplateProblem(
        `"#{${text}}" is not a path`,
        'names and indexes joined by dots, e.g. #{user.address.city} or #{0}',
      );
    }
  }
  return { text, root, path, optional };
}
