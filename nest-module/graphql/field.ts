/** `@TurboCacheField`: a field resolver whose value belongs to its parent. */
import { checkIsObject } from '../decorators/check-options';
import type { TurboCacheOptions } from '../decorators/options';
import { decoratorError, type Place } from '../decorators/site';
import { TurboCache } from '../decorators/turbocache';
import { canonical } from '../key/canonical';
import { ARGS, CONTEXT, nestParameters, PARENT } from '../key/nest-parameters';
import { follow } from '../key/path';
import type { CallContext } from '../method/call';
import type { TurboCacheMethodDecorator } from '../method/decorate';
import { methodIn, placeOf } from '../method/place';

export interface TurboCacheFieldOptions extends Omit<TurboCacheOptions, 'key' | 'returns'> {
  /** Path to what tells parents of the type apart. @default 'id' */
  id?: string;
  /**
   * What of the GraphQL context the value depends on, e.g. `(context) => context.locale`. Without it all who ask share one
   * value: then the field must not look at the context.
   */
  context?: (context: never) => unknown;
}

/**
 * Caches a field. The key is class, method, the parent's `id`, the arguments and the selected part of the context; the rest
 * of the parent, the context itself and the info are never part of it. Stands below or above `@ResolveField()`.
 */
export function TurboCacheField(options: TurboCacheFieldOptions = {}): TurboCacheMethodDecorator {
  return (prototype, method, descriptor) => {
    const place = placeOf('@TurboCacheField', prototype, method);
    methodIn(descriptor, prototype, place);
    checkIsObject(options, place);
    const { id = 'id', context, ...rest } = options;
    if (context !== undefined && typeof context !== 'function') throw notSelecting(context, place);
    const parameters = nestParameters(prototype, method);
    const at = (kind: number): number | undefined => parameters.find((each) => each.kind === kind)?.index;
    const [parent, contextAt] = [at(PARENT), at(CONTEXT)];
    if (parent === undefined) throw missing(place, '@Parent()');
    if (context !== undefined && contextAt === undefined) throw missing(place, '@Context()', 'context');
    if (context === undefined && contextAt !== undefined) throw undecided(place);
    const path = pathOf(id, place);
    const args = parameters.filter(({ kind }) => kind === undefined || kind >= ARGS).map(({ index }) => index);

    const key = (call: CallContext): string => {
      const parentId = follow(call.args[parent], path);
      // Without it all parents would share one entry: no key, and the failure is told.
      if (parentId === undefined || parentId === null) return '';
      const selected = context === undefined ? [] : [context(call.args[contextAt!] as never)];
      const parts = [parentId, args.map((index) => call.args[index] as unknown), ...selected];
      return `${call.className}.${call.methodName}(${canonical(parts).slice(1, -1)})`;
    };
    TurboCache({ ...rest, key })(prototype, method, descriptor);
  };
}

function pathOf(id: unknown, place: Place): readonly string[] {
  if (typeof id === 'string' && id !== '' && id.split('.').every((part) => part !== '')) return id.split('.');
  throw decoratorError(place, 'not a path', {
    option: 'id',
    got: id,
    expected: "a path in the parent, e.g. 'id' or 'owner.id'",
  });
}

function missing(place: Place, decorator: string, option?: string): Error {
  return decoratorError(place, `no parameter has ${decorator} of @nestjs/graphql`, {
    ...(option === undefined ? {} : { option }),
    expected: `a parameter with ${decorator}`,
  });
}

function notSelecting(got: unknown, place: Place): Error {
  const expected = 'a function of the GraphQL context, e.g. (context) => context.locale';
  return decoratorError(place, 'not a function', { option: 'context', got, expected });
}

function undecided(place: Place): Error {
  return decoratorError(place, 'the method takes the GraphQL context, and the key does not say what of it counts', {
    option: 'context',
    expected: 'a function that selects it, e.g. (context) => context.locale, or a method without @Context()',
  });
}
