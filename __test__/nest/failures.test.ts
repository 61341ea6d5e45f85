import { Injectable, Logger } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { bindCache, TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import { afterEach, describe, expect, it } from 'vitest';
import { startWith } from './fixture';

const codes = (failures: readonly { operation: string; error: { code: string } }[]): string[] =>
  failures.map(({ operation, error }) => `${operation} ${error.code}`);

describe('an error of the method', () => {
  @Injectable()
  class Users {
    calls = 0;

    readonly error: unknown = Object.assign(new Error('no such user'), { status: 404 });

    @TurboCache('user:#{id}')
    async find(id: number): Promise<number> {
      this.calls += 1;
      if (id === 0) throw 0;
      throw this.error;
    }

    @TurboCache('now:#{id}')
    now(id: string): Promise<never> {
      throw new TypeError(id);
    }
  }

  it('reaches every caller as it is, and is not cached', async () => {
    const { app, failures } = await startWith([Users]);
    const users = app.get(Users);
    const [first, second] = await Promise.allSettled([users.find(1), users.find(1)]);
    expect((first as PromiseRejectedResult).reason).toBe(users.error);
    expect((second as PromiseRejectedResult).reason).toBe(users.error);
    expect(users.calls).toBe(1);
    await expect(users.find(1)).rejects.toBe(users.error);
    await expect(users.find(0)).rejects.toBe(0);
    expect(users.calls).toBe(3);
    expect(failures).toEqual([]);
  });

  it('becomes a rejection when it is thrown at once', async () => {
    const { app } = await startWith([Users]);
    await expect(app.get(Users).now('x')).rejects.toThrow(TypeError);
  });
});

describe('a failure of the cache', () => {
  @Injectable()
  class Users {
    calls = 0;

    @TurboCache({ key: 'user:#{id}', tags: ({ result }) => (result === 2 ? (5 as never) : ['t']) })
    async find(id?: number | object): Promise<unknown> {
      this.calls += 1;
      return id ?? 'nobody';
    }

    @TurboCache({ key: 'never', condition: () => fail('condition') })
    async conditional(): Promise<number> {
      return (this.calls += 1);
    }

    @TurboCache({ key: 'never', unless: () => fail('unless') })
    async unless(): Promise<number> {
      return (this.calls += 1);
    }

    @TurboCache('strange')
    async strange(): Promise<unknown> {
      this.calls += 1;
      return { big: 1n };
    }

    @TurboCachePut('put:#{result.id}')
    async put(): Promise<object> {
      return { name: 'without id' };
    }

    @TurboCacheEvict({ key: ['user:#{id}', 'users'], tags: ['all'] })
    async evict(id?: number): Promise<unknown> {
      return id;
    }
  }

  it('to make a key calls the method and tells onError, with all there is to know', async () => {
    const { app, failures } = await startWith([Users]);
    expect(await app.get(Users).find()).toBe('nobody');
    expect(failures).toMatchObject([
      {
        operation: 'key',
        method: 'Users.find',
        error: { code: 'E_TURBOCACHE_DECORATOR', option: 'key', details: { className: 'Users', methodName: 'find' } },
      },
    ]);
    expect(await app.get(Users).find(new Map([[1, Promise.resolve()]]))).toBeInstanceOf(Map);
    expect(failures[1]?.error.message).toContain('a Promise without visible fields');
  });

  it('in a condition calls the method, in `unless` or `tags` returns its result unstored', async () => {
    const { app, failures } = await startWith([Users]);
    const users = app.get(Users);
    expect([await users.conditional(), await users.conditional()]).toEqual([1, 2]);
    expect([await users.unless(), await users.unless()]).toEqual([3, 4]);
    expect(await users.find(2)).toBe(2);
    expect(await app.get(CacheManager).has('user:2')).toBe(false);
    expect(codes(failures)).toEqual([
      ...Array.from({ length: 2 }, () => 'condition E_TURBOCACHE_DECORATOR'),
      ...Array.from({ length: 3 }, () => 'write E_TURBOCACHE_DECORATOR'),
    ]);
    expect(failures[0]?.error.cause).toEqual(new Error('condition'));
  });

  it('to encode the result returns it, and does not run the method again', async () => {
    const { app, failures } = await startWith([Users]);
    expect(await app.get(Users).strange()).toEqual({ big: 1n });
    expect(app.get(Users).calls).toBe(1);
    expect(codes(failures)).toEqual(['read E_TURBOCACHE_SERIALIZE']);
  });

  it('to store or to evict leaves the result, and the rest of the eviction', async () => {
    const { app, failures } = await startWith([Users]);
    const manager = app.get(CacheManager);
    await manager.set('users', 1);
    await manager.set('tagged', 1, { tags: ['all'] });
    expect(await app.get(Users).put()).toEqual({ name: 'without id' });
    expect(await app.get(Users).evict()).toBeUndefined();
    expect(await manager.getMany(['users', 'tagged'])).toEqual([undefined, undefined]);
    expect(codes(failures)).toEqual(['write E_TURBOCACHE_DECORATOR', 'evict E_TURBOCACHE_DECORATOR']);
  });

  it('that is for good, as after close(), leaves the methods working', async () => {
    const { app, failures } = await startWith([Users]);
    await app.get(CacheManager).close();
    expect(await app.get(Users).find(1)).toBe(1);
    expect(await app.get(Users).evict(1)).toBe(1);
    expect(new Set(codes(failures))).toEqual(new Set(['read E_TURBOCACHE_CLOSED', 'evict E_TURBOCACHE_CLOSED']));
  });

  it('is survived by a handler that fails itself', async () => {
    const onError = (): never => fail('handler');
    const { app } = await startWith([Users], { onError });
    app.useLogger(false);
    expect(await app.get(Users).find()).toBe('nobody');
  });
});

describe('without onError', () => {
  class Lines {
    readonly warnings: unknown[] = [];
    warn(message: unknown): void {
      this.warnings.push(message);
    }
    log(): void {}
    error(): void {}
  }
  afterEach(() => Logger.overrideLogger(undefined as never));

  it('one line is logged a method and code, not one a call', async () => {
    class Users {
      @TurboCache('user:#{id}')
      async find(id?: number): Promise<unknown> {
        return id;
      }
    }
    const lines = new Lines();
    Logger.overrideLogger(lines);
    const manager = new CacheManager();
    const users = bindCache(new Users(), manager);
    for (let call = 0; call < 5; call++) await users.find();
    await manager.close();
    expect(lines.warnings).toEqual([
      expect.stringMatching(/^Users\.find \(key\): @TurboCache on Users\.find: .*\[E_TURBOCACHE_DECORATOR\]$/),
    ]);
  });
});

describe('what is an answer and no failure', () => {
  it('is the time limit that the caller has set', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));

    @Injectable()
    class Users {
      calls = 0;

      @TurboCache({ key: 'slow', hardTimeout: 10 })
      async slow(): Promise<void> {
        this.calls += 1;
        await held;
      }
    }
    const { app, failures } = await startWith([Users]);
    await expect(app.get(Users).slow()).rejects.toMatchObject({ code: 'E_TURBOCACHE_LOADER_TIMEOUT' });
    release();
    expect(app.get(Users).calls).toBe(1);
    expect(failures).toEqual([]);
  });

  it('is a method that asks for the very key it is computing', async () => {
    @Injectable()
    class Users {
      @TurboCache('again:#{id}')
      async again(id: number): Promise<unknown> {
        return this.again(id);
      }
    }
    const { app } = await startWith([Users]);
    await expect(app.get(Users).again(1)).rejects.toMatchObject({ code: 'E_TURBOCACHE_RECURSIVE_LOAD' });
  });
});

function fail(message: string): never {
  throw new Error(message);
}
