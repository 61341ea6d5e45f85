import { Controller, forwardRef, Get, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { type ContextId, ContextIdFactory, ModuleRef, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { CacheManager } from 'turbocache-js';
import { bindCache, InjectCache, TurboCache, TurboCacheModule } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { start, startWith, stop, track } from './fixture';

class Counting {
  calls = 0;

  @TurboCache('n:#{n}')
  async count(n: number): Promise<number> {
    this.calls += 1;
    return n;
  }

  async twice(n: number): Promise<number[]> {
    return [await this.count(n), await this.count(n)];
  }
}

describe('a decorated method finds the cache of its application', () => {
  it('in a controller, in a module that imports nothing, and on a call of its own object', async () => {
    @Controller()
    class Numbers extends Counting {}

    @Module({ controllers: [Numbers] })
    class NumbersModule {}

    const app = await start({ imports: [TurboCacheModule.forRoot(), NumbersModule] });
    const numbers = app.select(NumbersModule).get(Numbers);
    expect(await numbers.twice(1)).toEqual([1, 1]);
    expect(numbers.calls).toBe(1);
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])('in every instance of scope %s', async (scope) => {
    @Injectable({ scope })
    class Numbers extends Counting {}

    const { app } = await startWith([Numbers]);
    const one = await app.resolve(Numbers, ContextIdFactory.create());
    const other = await app.resolve(Numbers, ContextIdFactory.create());
    expect(one).not.toBe(other);
    await one.count(1);
    await other.count(1);
    expect([one.calls, other.calls]).toEqual([1, 0]);
  });

  it('in a controller of request scope, one for each request', async () => {
    const made: Numbers[] = [];
    @Controller('numbers')
    class Numbers extends Counting {
      constructor(@Inject(REQUEST) readonly request: object) {
        super();
        made.push(this);
      }

      @Get()
      override count(): Promise<number> {
        return this.own();
      }

      @TurboCache('own')
      async own(): Promise<number> {
        return (this.calls += 1);
      }
    }
    const testing = Test.createTestingModule({ imports: [TurboCacheModule.forRoot()], controllers: [Numbers] });
    const app = track((await testing.compile()).createNestApplication());
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/numbers`;
    for (let request = 0; request < 3; request += 1) expect(await (await fetch(url)).json()).toBe(1);
    expect(made.map(({ calls }) => calls)).toEqual([1, 0, 0]);
    expect(new Set(made.map(({ request }) => request)).size).toBe(3);
  });

  it('in a durable provider, one for each tenant', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Numbers extends Counting {}

    const { app } = await startWith([Numbers]);
    // What a strategy of durable providers answers: a tenant's context for them, a request's own for the rest.
    const [acme, other] = [ContextIdFactory.create(), ContextIdFactory.create()];
    const requestOf = (tenant: ContextId): ContextId => {
      const request = ContextIdFactory.create();
      request.getParent = ({ isTreeDurable }) => (isTreeDurable ? tenant : request);
      return request;
    };
    const instances = await Promise.all([acme, acme, other].map((tenant) => app.resolve(Numbers, requestOf(tenant))));
    expect(instances[0]).toBe(instances[1]);
    expect(instances[0]).not.toBe(instances[2]);
    for (const numbers of instances.slice(1)) await numbers.count(1);
    expect(instances.map(({ calls }) => calls)).toEqual([1, 1, 0]);
  });

  it('in objects from factories, values, and lazily made ones', async () => {
    class Made extends Counting {}
    class Given extends Counting {}
    @Injectable()
    class Lazy extends Counting {}

    const given = new Given();
    const { app } = await startWith([
      { provide: Made, useFactory: async () => new Made() },
      { provide: 'given', useValue: given },
    ]);
    const lazy = await app.get(ModuleRef).create(Lazy);
    for (const object of [app.get(Made), given, lazy]) await object.count(1);
    expect([app.get(Made).calls, given.calls, lazy.calls]).toEqual([1, 0, 0]);
  });

  it('beside other injected properties, of its own and of the class it extends', async () => {
    @Injectable()
    class Clock {}
    @Injectable()
    class Base {
      @Inject(Clock) readonly clock!: Clock;

      @TurboCache('base')
      async base(): Promise<number> {
        return 1;
      }
    }
    @Injectable()
    class Derived extends Base {
      @InjectCache() readonly cache!: CacheManager;

      @TurboCache('derived')
      async derived(): Promise<number> {
        return 2;
      }
    }
    const { app } = await startWith([Clock, Derived]);
    const derived = app.get(Derived);
    expect(derived.clock).toBeInstanceOf(Clock);
    await derived.base();
    await derived.derived();
    expect(await derived.cache.getMany(['base', 'derived'])).toEqual([1, 2]);
  });

  it('in providers that depend on each other', async () => {
    @Injectable()
    class A extends Counting {
      constructor(@Inject(forwardRef(() => B)) readonly b: object) {
        super();
      }
    }
    @Injectable()
    class B extends Counting {
      constructor(@Inject(forwardRef(() => A)) readonly a: object) {
        super();
      }
    }
    const { app } = await startWith([A, B]);
    await app.get(A).count(1);
    await app.get(B).count(1);
    expect([app.get(A).calls, app.get(B).calls]).toEqual([1, 0]);
  });
});

describe('several applications of one process', () => {
  it('have caches of their own, for one and the same class', async () => {
    @Injectable()
    class Numbers extends Counting {}

    const [one, other] = [await startWith([Numbers]), await startWith([Numbers])];
    await one.app.get(Numbers).count(1);
    await other.app.get(Numbers).count(1);
    expect([one.app.get(Numbers).calls, other.app.get(Numbers).calls]).toEqual([1, 1]);
    await stop(one.app);
    await other.app.get(Numbers).count(1);
    expect(other.app.get(Numbers).calls).toBe(1);
    expect(other.failures).toEqual([]);
  });
});

describe('without a cache', () => {
  it('the methods of an object that nobody bound run as if they were not decorated', async () => {
    const numbers = new Counting();
    expect(await numbers.twice(1)).toEqual([1, 1]);
    expect(numbers.calls).toBe(2);
  });

  it('so do those of an application without the module', async () => {
    const app = await start({ providers: [Counting] });
    await app.get(Counting).twice(1);
    expect(app.get(Counting).calls).toBe(2);
  });

  it('and those whose every dependency a test has mocked', async () => {
    const module = await Test.createTestingModule({ providers: [Counting] })
      .useMocker(() => ({ find: () => ({ cache: {} }) }))
      .compile();
    await track(module).get(Counting).twice(1);
    expect(module.get(Counting).calls).toBe(2);
  });
});

describe('bindCache', () => {
  it('gives a cache to an object that Nest did not make', async () => {
    const manager = new CacheManager();
    const numbers = bindCache(new Counting(), manager.cache('numbers'));
    await numbers.twice(1);
    expect(numbers.calls).toBe(1);
    expect(await manager.cache('numbers').get('n:1')).toBe(1);
    await manager.close();
  });
});

describe('classes that share a name', () => {
  const make = (factor: number) => {
    @Injectable()
    class Prices {
      @TurboCache()
      async of(n: number): Promise<number> {
        return n * factor;
      }
    }
    return Prices;
  };

  it('would share their default keys, so the application does not start', async () => {
    const error = await startWith([make(1), make(2)]).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_CLASH', details: { className: 'Prices', methodName: 'of' } });
  });

  it('may, when they extend each other: each call has a key of its own', async () => {
    @Injectable()
    class Base {
      @TurboCache()
      async of(n: number): Promise<number> {
        return n;
      }
    }
    @Injectable()
    class Derived extends Base {
      @TurboCache()
      override async of(n: number): Promise<number> {
        return (await super.of(n)) + 1;
      }
    }
    const { app } = await startWith([Base, Derived]);
    expect([await app.get(Base).of(1), await app.get(Derived).of(1), await app.get(Derived).of(1)]).toEqual([1, 2, 2]);
  });
});
