/** Turns the root of a slot into a function that reads its value from a call; a root that does not exist is an error now. */
import { currentContext } from '../context/context';
import { decoratorError, type Site } from '../decorators/site';
import type { MethodCall } from '../method/call';
import type { ParameterName } from './parameters';
import { follow } from './path';
import type { Slot } from './template';

export interface SlotReader {
  readonly read: (call: MethodCall) => unknown;
  /** The argument may be left out because the method has a default for it. */
  readonly hasDefault: boolean;
  /** The value is this argument, as it is. */
  readonly argument?: number;
}

const WORDS = ['result', 'class', 'method', 'context'] as const;

export function slotReader(slot: Slot, site: Site, option: string): SlotReader {
  const parameter = site.parameters?.names.find(({ name }) => name === slot.root);
  if ((WORDS as readonly string[]).includes(slot.root)) {
    if (parameter === undefined) return wordReader(slot, site, option);
    throw decoratorError(site, `"#{${slot.text}}" means two things, a parameter and the word of key templates`, {
      option,
      got: slot.root,
      expected: `#{${parameter.index}} for the parameter, or another name for it`,
    });
  }
  if (/^\d+$/.test(slot.root)) return indexReader(slot, site, option);
  if (parameter === undefined) throw unknownName(slot, site, option);
  const { index, path, rest } = parameter;
  return {
    read: ({ args }) => follow(valueOf(parameter, args), slot.path),
    hasDefault: parameter.hasDefault && slot.path.length === 0,
    ...(path.length + slot.path.length === 0 && rest === undefined ? { argument: index } : {}),
  };
}

function wordReader(slot: Slot, site: Site, option: string): SlotReader {
  if (slot.root === 'context') return contextReader(slot, site, option);
  if (slot.root === 'result') {
    if (site.phase === 'after') return { read: ({ result }) => follow(result, slot.path), hasDefault: false };
    throw decoratorError(site, '"#{result}" is asked for before the method has run', {
      option,
      got: slot.root,
      expected: 'parameters; the result is known to @TurboCachePut, @TurboCacheEvict and the tags of @TurboCache',
    });
  }
  if (slot.path.length > 0) {
    throw decoratorError(site, `"#{${slot.text}}" has a path`, {
      option,
      got: slot.text,
      expected: `#{${slot.root}} alone`,
    });
  }
  const read = slot.root === 'class' ? (call: MethodCall) => call.className : (call: MethodCall) => call.methodName;
  return { read, hasDefault: false };
}

function contextReader({ text, path: [name, ...path] }: Slot, site: Site, option: string): SlotReader {
  if (name !== undefined) return { read: () => follow(currentContext()?.get(name), path), hasDefault: false };
  throw decoratorError(site, `"#{${text}}" names no value of the context`, {
    option,
    got: text,
    expected: '#{context.tenant}, #{context.user}, or another value by its name',
  });
}

function indexReader(slot: Slot, site: Site, option: string): SlotReader {
  const index = Number(slot.root);
  const count = site.parameters?.count ?? Infinity;
  if (index >= count) {
    throw decoratorError(site, `there is no parameter ${index}`, {
      option,
      got: slot.root,
      expected: count === 0 ? 'no index, the method has no parameters' : `an index from 0 to ${count - 1}`,
    });
  }
  const read = ({ args }: MethodCall): unknown => follow(args[index], slot.path);
  if (slot.path.length > 0) return { read, hasDefault: false };
  const hasDefault = site.parameters?.names.some((name) => name.index === index && name.hasDefault) ?? false;
  return { read, hasDefault, argument: index };
}

function unknownName(slot: Slot, site: Site, option: string): Error {
  const names = site.parameters?.names.map(({ name }) => name) ?? [];
  const list = names.length > 0 ? names.join(', ') : 'none that can be seen';
  return decoratorError(site, `no parameter is named "${slot.root}"`, {
    option,
    got: slot.root,
    expected:
      `one of the method's parameters (${list}), an index such as #{0}, #{class}, #{method} or #{context.tenant}` +
      ` (if another decorator wraps the method, put that one above ${site.decorator})`,
    known: [...names, ...WORDS],
  });
}

/** The value a name has inside the method, except that a default is not known: it reads as `undefined`. */
function valueOf({ index, path, rest }: ParameterName, args: readonly unknown[]): unknown {
  if (rest === 'arguments') return args.slice(index);
  const value = follow(args[index], path);
  if (rest === undefined || value === null || value === undefined) return value;
  if ('from' in rest) return Array.isArray(value) ? value.slice(rest.from) : undefined;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !rest.without.includes(name)));
}
