/** A rule: which entries an event makes old. Compiled once, when the class or the module is defined. */
import { checkOptions } from '../decorators/check-options';
import { ask } from '../decorators/predicate';
import { decoratorError, type Place, type Site } from '../decorators/site';
import type { Eviction } from '../eviction/eviction';
import { compileTemplate, type TextOf } from '../key/compile-template';
import type { ParameterList } from '../key/parameters';
import { MethodCall } from '../method/call';

/** What functions in a rule are given. The payload's type is the emitter's affair: name and type it where you take it apart. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export interface DomainEvent<Payload = any> {
  /** Name of the event, or of the channel. */
  readonly event: string;
  /** First argument of the event, or the parsed message. */
  readonly payload: Payload;
}

/** Everything given is dropped. Templates know `#{payload}`, paths in it, and `#{event}`. */
export interface EvictionRule {
  /** Name of a cache (`forFeature`) or of a manager (`forRoot({ name })`). @default the default manager */
  cache?: string;
  /** Key or keys: templates such as `'user:#{payload.id}'`, or a function of the event. */
  key?: string | readonly string[] | ((event: DomainEvent) => string | readonly string[]);
  /** Drops every entry that carries one of these tags: templates, or a function of the event. */
  tags?: readonly string[] | ((event: DomainEvent) => readonly string[]);
  /** Drops every entry of the cache. */
  all?: boolean;
  /** `false` = this event changes nothing. One that throws or says neither `true` nor `false` evicts. */
  condition?: (event: DomainEvent) => boolean;
}

export interface CompiledRule {
  readonly cache: string | undefined;
  /** `false`: this event changes nothing. Throws what the rule's condition throws. */
  readonly concerns: (event: DomainEvent) => boolean;
  /** Keys are as the templates make them, of any length. */
  readonly evictionOf: (event: DomainEvent) => Eviction;
}

/** Of a channel or a stream. `'eviction'`: each message says itself what to drop. */
export type MessageRules = 'eviction' | readonly CompiledRule[];

/** Names of caches and managers; `undefined`: the default manager. */
export type CacheNames = ReadonlySet<string | undefined>;

/** All that such rules may drop from. `caches`: what messages may speak of. */
export function droppedFrom(rules: MessageRules, caches: CacheNames): readonly (string | undefined)[] {
  return rules === 'eviction' ? [...caches] : rules.map(({ cache }) => cache);
}

/** Who must be there for such rules, and is told of what fails. For messages the default manager, where there is one. */
export function answeringFor(rules: MessageRules, caches: CacheNames): readonly (string | undefined)[] {
  return rules === 'eviction' && caches.has(undefined) ? [undefined] : droppedFrom(rules, caches);
}

const PARAMETERS: ParameterList = {
  names: ['payload', 'event'].map((name, index) => ({ name, index, path: [], hasDefault: false })),
  count: 2,
};

export function compileRule(rule: EvictionRule, place: Place): CompiledRule {
  checkOptions(rule, ['key', 'cache', 'tags', 'all', 'condition'], place);
  const site: Site = { ...place, phase: 'before', parameters: PARAMETERS };
  const keysOf = textsOf(rule.key, site, 'key');
  const tagsOf = textsOf(rule.tags, site, 'tags');
  if (keysOf === undefined && tagsOf === undefined && rule.all !== true) {
    throw decoratorError(place, 'it says nothing about what to remove', { expected: '`key`, `tags` or `all: true`' });
  }
  const { condition } = rule;
  return {
    cache: rule.cache,
    concerns: condition === undefined ? () => true : (event) => ask(condition, event, 'condition', site),
    evictionOf: (event) => ({
      ...(rule.cache === undefined ? {} : { cache: rule.cache }),
      ...(keysOf === undefined ? {} : { keys: keysOf(event) }),
      ...(tagsOf === undefined ? {} : { tags: tagsOf(event) }),
      ...(rule.all === true ? { all: true } : {}),
    }),
  };
}

type TextsOf = (event: DomainEvent) => readonly string[];

function textsOf(source: EvictionRule['key'], site: Site, option: 'key' | 'tags'): TextsOf | undefined {
  if (source === undefined) return undefined;
  if (typeof source === 'function') return (event) => checked(source(event), site, option);
  const templates: unknown = typeof source === 'string' ? [source] : source;
  if (!Array.isArray(templates) || templates.length === 0 || !templates.every((text) => typeof text === 'string')) {
    throw decoratorError(site, `it is ${typeof source}`, {
      option,
      got: source,
      expected: 'a template such as "user:#{payload.id}", a list of them, or a function of the event',
    });
  }
  const compiled: TextOf[] = templates.map((template: string) => compileTemplate(template, site, option).of);
  return (event) => {
    const call = new MethodCall({}, event.event, [event.payload, event.event]);
    return compiled.map((textOf) => textOf(call));
  };
}

/** User code may answer anything. */
function checked(answer: unknown, site: Site, option: string): readonly string[] {
  const texts: unknown = typeof answer === 'string' ? [answer] : answer;
  if (Array.isArray(texts) && texts.every((text) => typeof text === 'string' && text !== '')) return texts as string[];
  throw decoratorError(site, 'the function did not answer texts', { option, expected: 'a text or a list of texts' });
}
