import { Injectable } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { type ResultContext, TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { type Started, startWith } from './fixture';

/** What the functions of this class say; their type says that it is true or false. */
let said: () => boolean;
const answer = (): boolean => said();

@Injectable()
class Users {
  calls = 0;

  @TurboCache({ key: 'read', condition: answer })
  async find(): Promise<number> {
    return (this.calls += 1);
  }

  @TurboCache({ key: 'now', condition: answer, returns: 'value' })
  findNow(): number {
    return (this.calls += 1);
  }

  @TurboCache({ key: 'kept', unless: answer })
  async keep(): Promise<number> {
    return (this.calls += 1);
  }

  @TurboCachePut({ key: 'put', condition: answer })
  async put(): Promise<number> {
    return (this.calls += 1);
  }

  @TurboCachePut({ key: 'put', unless: answer })
  async putUnless(): Promise<number> {
    return (this.calls += 1);
  }

  @TurboCacheEvict({ key: 'old', condition: answer })
  async evict(): Promise<number> {
    return (this.calls += 1);
  }
}

const told = ({ failures }: Started): unknown[] =>
  failures.map(({ operation, method, error: { code, option } }) => [operation, method, code, option]);

describe.each<[string, () => unknown]>([
  ['a promise', async () => true],
  ['a promise of false', async () => false],
  ['undefined', () => undefined],
  ['null', () => null],
  ['a number', () => 1],
  ['a text', () => 'false'],
])('a function that answers %s', (_, wrong) => {
  const started = (): Promise<Started> => {
    said = wrong as () => boolean;
    return startWith([Users]);
  };

  it('as `condition` of @TurboCache leaves the cache alone', async () => {
    const service = await started();
    const users = service.app.get(Users);
    expect([await users.find(), await users.find()]).toEqual([1, 2]);
    expect([users.findNow(), users.findNow()]).toEqual([3, 4]);
    expect(await service.app.get(CacheManager).getMany(['read', 'now'])).toEqual([undefined, undefined]);
    expect(told(service)).toEqual(
      ['find', 'find', 'findNow', 'findNow'].map((method) => [
        'condition',
        `Users.${method}`,
        'E_TURBOCACHE_DECORATOR',
        'condition',
      ]),
    );
  });

  it('as `unless` of @TurboCache leaves the result unstored', async () => {
    const service = await started();
    const users = service.app.get(Users);
    expect([await users.keep(), await users.keep()]).toEqual([1, 2]);
    expect(told(service)).toEqual([1, 2].map(() => ['write', 'Users.keep', 'E_TURBOCACHE_DECORATOR', 'unless']));
  });

  it('as either of @TurboCachePut leaves the result unstored', async () => {
    const service = await started();
    const users = service.app.get(Users);
    expect([await users.put(), await users.putUnless()]).toEqual([1, 2]);
    expect(await service.app.get(CacheManager).has('put')).toBe(false);
    expect(told(service)).toEqual([
      ['write', 'Users.put', 'E_TURBOCACHE_DECORATOR', 'condition'],
      ['write', 'Users.putUnless', 'E_TURBOCACHE_DECORATOR', 'unless'],
    ]);
  });

  it('as `condition` of @TurboCacheEvict evicts', async () => {
    const service = await started();
    const manager = service.app.get(CacheManager);
    await manager.set('old', 1);
    expect(await service.app.get(Users).evict()).toBe(1);
    expect(await manager.has('old')).toBe(false);
    expect(told(service)).toEqual([['condition', 'Users.evict', 'E_TURBOCACHE_DECORATOR', 'condition']]);
  });
});

describe('what onError is told of such a function', () => {
  it.each<[string, () => unknown, string]>([
    ['a promise', async () => true, 'a promise'],
    ['nothing', () => undefined, 'undefined'],
    ['a number', () => 0, 'a value of type number'],
  ])('names method, option and %s, but no value', async (_, wrong, kind) => {
    said = wrong as () => boolean;
    const { app, failures } = await startWith([Users]);
    await app.get(Users).find();
    expect(failures[0]!.error.message).toBe(
      `@TurboCache on Users.find: option "condition": the function answered ${kind}; expected true or false.`,
    );
  });

  it('is all that becomes of a promise that rejects', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', listener);
    try {
      said = (async () => {
        throw new Error('later');
      }) as unknown as () => boolean;
      const { app, failures } = await startWith([Users]);
      expect(await app.get(Users).find()).toBe(1);
      // Node tells of a rejection when the turn in which it came has ended.
      await new Promise((resolve) => setImmediate(resolve));
      expect(failures).toHaveLength(1);
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
    }
  });
});

it('a function whose context has a type may only say true or false', () => {
  TurboCache({ unless: ({ result }: ResultContext<string[]>) => result.length === 0 });
  // @ts-expect-error a number is neither
  TurboCache({ unless: ({ result }: ResultContext<string[]>) => result.length });
  // @ts-expect-error a promise is neither
  expect(() => TurboCache({ condition: async () => true })).not.toThrow();
});
