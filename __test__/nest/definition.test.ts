import { applyDecorators, Injectable } from '@nestjs/common';
import { DecoratorError } from 'turbocache-js';
import {
  TurboCache,
  TurboCacheDefaults,
  TurboCacheEvict,
  TurboCacheKey,
  TurboCacheMemo,
  TurboCachePut,
  TurboCacheRoute,
} from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { errorOf, startWith } from './fixture';

type AnyDecorator = (target: any, key: any, descriptor?: any) => any;

/** Applies decorators as TypeScript does: the last one first. */
function decorate(method: (...args: any[]) => unknown, ...decorators: AnyDecorator[]): () => void {
  return () => {
    class Users {}
    const descriptor = { value: method, writable: true, configurable: true, enumerable: false };
    for (const decorator of decorators.toReversed()) decorator(Users.prototype, 'find', descriptor);
    Object.defineProperty(Users.prototype, 'find', descriptor);
  };
}

const find = async (id: number, { userName }: { userName: string }): Promise<unknown> => [id, userName];
const cached = (options: unknown): (() => void) => decorate(find, TurboCache(options as string));

describe('a mistake in a decorator is an error when the class is defined', () => {
  it('names class, method, option, what was got, and the nearest names', () => {
    expect(errorOf(cached('user:#{usrName}'))).toMatchObject({
      name: 'DecoratorError',
      code: 'E_TURBOCACHE_DECORATOR',
      option: 'key',
      got: 'usrName',
      details: { decorator: '@TurboCache', className: 'Users', methodName: 'find', nearest: ['userName'] },
      message: expect.stringContaining('Did you mean "userName"?'),
    });
  });

  it.each<[string, () => void, string]>([
    ['an unknown parameter', cached('user:#{name}'), 'no parameter is named "name"'],
    ['an index without parameter', cached('user:#{2}'), 'there is no parameter 2'],
    ['the result before the call', cached('user:#{result.id}'), 'before the method has run'],
    ['a path of #{class}', cached('#{class.name}'), 'has a path'],
    ['an open slot', cached('user:#{id'), 'without its "}"'],
    ['an expression', cached('user:#{id + 1}'), 'is not a path'],
    ['a call', cached('user:#{id.toString()}'), 'is not a path'],
    ['an empty slot', cached('user:#{}'), 'is not a path'],
    ['an empty key', cached(''), 'an empty text'],
    ['a way to the prototype', cached('user:#{id.__proto__.x}'), 'walks through "__proto__"'],
    ['a way to the class', cached('user:#{id.constructor.name}'), 'walks through "constructor"'],
    ['slots without separator', cached('#{id}#{userName}'), 'nothing separates'],
    ['slots separated by letters', cached('#{id}and#{userName}'), 'nothing separates'],
    ['an unknown option', cached({ ttll: 5 }), 'expected one of ttl'],
    ['a negative ttl', cached({ ttl: -1 }), '-1 is not possible'],
    ['a ttl of zero', cached({ ttl: '0s' }), '"0s" is not possible'],
    ['a ttl without unit', cached({ ttl: '5' }), '"5" is not possible'],
    ['a fraction out of range', cached({ eagerRefresh: 2 }), 'a fraction above 0 and below 1'],
    ['a condition that is no function', cached({ condition: 'id > 0' }), 'a function that answers true or false'],
    ['a tag that is no text', cached({ tags: [1] }), 'a list of texts'],
    ['an unknown parameter in a tag', cached({ tags: ['x:#{nobody}'] }), 'no parameter is named "nobody"'],
    ['a key that is none', cached({ key: 5 }), 'not a key'],
    ['options that are none', cached(5), 'its argument is number'],
    ['nothing to evict', decorate(find, TurboCacheEvict()), 'nothing about what to remove'],
    [
      'the result of a method that has not run',
      decorate(find, TurboCacheEvict({ key: '#{result}', when: 'before' })),
      'before the method',
    ],
    [
      'an unknown moment',
      decorate(find, TurboCacheEvict({ key: 'x', when: 'later' as 'before' })),
      "'success', 'before' or 'always'",
    ],
    ['two keys', decorate(find, TurboCache('a'), TurboCacheKey('b') as AnyDecorator), 'there are two keys'],
    [
      '@TurboCacheKey above',
      decorate(find, TurboCacheKey('b') as AnyDecorator, TurboCache()),
      'stands above a cache decorator',
    ],
    ['@TurboCacheKey without key', decorate(find, TurboCacheKey() as AnyDecorator), 'it has no key'],
    ['an unknown default', () => TurboCacheDefaults({ tll: 1 } as object)(class {}), 'no such option'],
    [
      'an unknown route option',
      decorate(find, TurboCacheRoute({ kye: 'x' } as object) as AnyDecorator),
      'no such option',
    ],
    [
      'a parameter named as a word',
      decorate(async (result: number) => result, TurboCachePut('x:#{result}')),
      'means two things',
    ],
    ['a property', () => TurboCache()({}, 'field'), 'does not stand on a method'],
    [
      'a static method',
      () => (TurboCache() as AnyDecorator)(class {}, 'find', { value: find }),
      'belongs to no application',
    ],
    ['a getter', () => (TurboCache() as AnyDecorator)({}, 'find', { get: find }), 'does not stand on a method'],
    [
      'a standard decorator',
      () => (TurboCache() as AnyDecorator)(find, { kind: 'method', name: 'find' }),
      '`experimentalDecorators`',
    ],
    [
      'names hidden by another wrapper',
      decorate((...args: unknown[]) => find(...(args as [any, any])), TurboCache('#{id}')),
      'put that one above',
    ],
  ])('%s', (_, define, message) => {
    const error = errorOf(define);
    expect(error).toBeInstanceOf(DecoratorError);
    expect(error.message).toContain(message);
  });

  it('refuses methods whose type says that they answer at once', () => {
    const define = (): unknown => {
      class Counter {
        // @ts-expect-error a method that returns a number does not fit the decorator either
        @TurboCache()
        count(): number {
          return 1;
        }
      }
      return Counter;
    };
    expect(errorOf(define).message).toContain('it returns Number at once');
  });
});

describe('decorators', () => {
  it('can be composed', () => {
    const Cached = (key: string): ReturnType<typeof applyDecorators> =>
      applyDecorators(TurboCache({ key, ttl: '1m' }), TurboCacheEvict('all'));
    expect(decorate(find, Cached('user:#{id}') as AnyDecorator)).not.toThrow();
    expect(errorOf(decorate(find, Cached('user:#{ID}') as AnyDecorator)).code).toBe('E_TURBOCACHE_DECORATOR');
  });

  it('read parameter names through each other', () => {
    expect(
      decorate(find, TurboCache('a:#{id}'), TurboCachePut('b:#{id}'), TurboCacheEvict('c:#{userName}')),
    ).not.toThrow();
  });
});

describe('@TurboCacheKey without a cache decorator', () => {
  class OnMethod {
    @TurboCacheKey('user:#{id}')
    async find(id: number): Promise<number> {
      return id;
    }
  }

  class OnParameter {
    async find(@TurboCacheKey() id: number): Promise<number> {
      return id;
    }
  }

  it.each([
    ['a method', OnMethod],
    ['a parameter', OnParameter],
    ['a method that another class inherits', class extends OnMethod {}],
  ])('on %s stops the start', async (_, type) => {
    Injectable()(type);
    const error: unknown = await startWith([type]).then(
      () => 'it started',
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ name: 'DecoratorError', code: 'E_TURBOCACHE_DECORATOR' });
    expect(String(error)).toMatch(
      /@TurboCacheKey on On\w+\.find: no cache decorator stands above it; expected @TurboCache, /,
    );
  });

  it('is none where any of them stands above it, also behind a wrapper that hides it', async () => {
    const wrapping: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
      const inner = descriptor.value as (...args: unknown[]) => unknown;
      descriptor.value = function (this: unknown, ...args: unknown[]) {
        return inner.apply(this, args);
      };
    };
    @Injectable()
    class Users {
      @wrapping
      @TurboCache()
      async find(@TurboCacheKey() id: number): Promise<number> {
        return id;
      }

      @TurboCachePut()
      @TurboCacheKey('user:#{id}')
      async save(id: number): Promise<number> {
        return id;
      }

      @TurboCacheEvict({ tags: ['users'] })
      @TurboCacheKey('user:#{id}')
      async drop(id: number): Promise<number> {
        return id;
      }

      @TurboCacheMemo()
      async memo(@TurboCacheKey() id: number): Promise<number> {
        return id;
      }
    }
    expect(await (await startWith([Users])).app.get(Users).find(1)).toBe(1);
  });
});
