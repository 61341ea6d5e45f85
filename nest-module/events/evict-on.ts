/** `@TurboCacheEvictOn`: beside the class that owns some entries stands which events make them old. */
import { decoratorError, type Place } from '../decorators/site';
import { bindByInjection } from '../registry/binding';
import { declare } from '../registry/declarations';
import { requireModule } from '../peer/require-module';
import { type CompiledRule, compileRule, type EvictionRule } from './rule';

export interface DeclaredRule {
  readonly event: string;
  readonly rule: CompiledRule;
}

const declared = new WeakMap<object, DeclaredRule[]>();

/** By this name the module is missed, when it is not imported. */
export const EVENTS_MODULE = 'TurboCacheEventsModule';

/**
 * On a provider or controller: when the event is emitted (`@nestjs/event-emitter`), the entries go.
 *
 * @param events Name of the event or of several; `*` and `**` if the emitter has wildcards.
 * @param rule A key template such as `'user:#{payload.id}'`, or what to drop.
 */
export function TurboCacheEvictOn(events: string | readonly string[], rule: string | EvictionRule): ClassDecorator {
  const given = typeof rule === 'string' ? { key: rule } : rule;
  return (type) => {
    const names: unknown = typeof events === 'string' ? [events] : events;
    const stand: unknown = type;
    const className = typeof stand === 'function' ? type.name : (stand as object).constructor.name;
    const place: Place = { decorator: '@TurboCacheEvictOn', className, methodName: '*' };
    if (typeof stand !== 'function') {
      throw decoratorError(place, 'it does not stand on a class', { expected: 'a provider or controller' });
    }
    if (
      !Array.isArray(names) ||
      names.length === 0 ||
      !names.every((name) => typeof name === 'string' && name !== '')
    ) {
      throw decoratorError(place, 'it names no event', { got: events, expected: "a name such as 'user.updated'" });
    }
    const compiled = compileRule(given, place);
    const prototype = type.prototype as object;
    const rules = declared.get(prototype) ?? [];
    for (const event of names as string[]) rules.push({ event, rule: compiled });
    declared.set(prototype, rules);
    // The check at start-up sees classes that need a cache, and asks whether theirs exists.
    bindByInjection(prototype);
    declare(prototype, { decorator: place.decorator, methodName: '*', cache: given.cache, namesClass: false });
    requireModule(prototype, EVENTS_MODULE);
  };
}

/** What stands on this very class, not on those it extends. */
export function rulesOn(prototype: object): readonly DeclaredRule[] {
  return declared.get(prototype) ?? [];
}
