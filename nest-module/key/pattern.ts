/**
 * A `pattern` option, compiled: a glob over keys in which `#{…}` stands for the text that keys have in that place, and for
 * nothing else, whatever characters it holds.
 */
import { escapePattern } from '../client';
import { decoratorError, type Site } from '../decorators/site';
import type { MethodCall } from '../method/call';
import { compileSlot, missesSeparator, parse } from './compile-template';
import type { Template } from './template';

/** Usually one pattern. More, where a value may look one way or the other in keys. */
export type PatternsOf = (call: MethodCall) => readonly string[];

export function compilePattern(source: string, site: Site): PatternsOf {
  const template = parse(source, site, 'pattern');
  checkGlob(source, template, site);
  const [first = '', ...others] = template.literals;
  const slots = template.slots.map((slot, i) => {
    const { separator, hasWildcard } = endingOf(others[i] ?? '');
    const isLast = i === template.slots.length - 1;
    if (!isLast && !hasWildcard && separator === undefined) throw missesSeparator(template, i, site, 'pattern');
    // Only keys with a slot behind this one encode the character between the two. A wildcard may stand for such a slot, or for
    // text: then a value that holds the character looks one way or the other.
    const endings = new Set([
      isLast && !hasWildcard ? undefined : separator,
      isLast || hasWildcard ? undefined : separator,
    ]);
    return [...endings].map((ending) => compileSlot(slot, ending, site, 'pattern').textOf);
  });
  return (call) =>
    slots.reduce<readonly string[]>(
      (patterns, looks, i) => {
        const texts = new Set(looks.map((textOf) => escapePattern(textOf(call)) + (others[i] ?? '')));
        return patterns.flatMap((pattern) => [...texts].map((text) => pattern + text));
      },
      [first],
    );
}

interface Ending {
  /** The first punctuation of the text, before any wildcard. */
  readonly separator: string | undefined;
  readonly hasWildcard: boolean;
}

/** What comes behind a slot. */
function endingOf(literal: string): Ending {
  let separator: string | undefined;
  const characters = literal.matchAll(/\\?(.)/gsu);
  for (const [written, character = ''] of characters) {
    if (/^[*?[]$/.test(written)) return { separator, hasWildcard: true };
    if (!/[\p{L}\p{N}\p{M}%~]/u.test(character)) separator ??= character;
  }
  return { separator, hasWildcard: false };
}

/** What the engine would refuse at each call. */
function checkGlob(source: string, { literals }: Template, site: Site): void {
  const problem = (what: string, expected: string): Error =>
    decoratorError(site, what, { option: 'pattern', got: source, expected });
  if (source === '') throw problem('an empty text', 'a glob such as "user:#{id}:*"');
  for (const literal of literals) {
    const plain = literal.replace(/\\[^]/g, '');
    if (plain.endsWith('\\')) throw problem(`"${source}" has a "\\" with nothing behind it`, '"\\\\" for a backslash');
    const withoutSets = plain.replace(/\[\^?[^\]]+\]/g, '');
    if (withoutSets.includes('['))
      throw problem(`"${source}" has a "[" without its "]"`, '"\\[", or a set such as "[abc]"');
  }
}
