/** What is wrong with `@TurboCacheRoute` is said when the application starts. */
import { Controller, Get, Injectable, type ModuleMetadata, Post, UseInterceptors } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { TurboCacheError } from 'turbocache-js';
import { type CacheFailure, TurboCacheInterceptor, TurboCacheModule, TurboCacheRoute } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { type Reported, start } from './fixture';

type Controllers = NonNullable<ModuleMetadata['controllers']>;

@Controller('handler')
@UseInterceptors(TurboCacheInterceptor)
class OnHandler {
  @Get()
  @TurboCacheRoute({ ttl: '1m' })
  read(): number {
    return 1;
  }
}

@Controller('controller')
@UseInterceptors(TurboCacheInterceptor)
@TurboCacheRoute({ ttl: '1m' })
class OnController {
  @Get()
  read(): number {
    return 1;
  }
}

describe('a route whose cache the application does not have', () => {
  const starting = (controller: Controllers[number]): Promise<unknown> =>
    start({ imports: [TurboCacheModule.forRoot({ name: 'pages' })], controllers: [controller] }).then(
      () => 'it started',
      (error: unknown) => error,
    );

  it.each<[string, Controllers[number], string]>([
    ['the handler', OnHandler, 'OnHandler'],
    ['the controller', OnController, 'OnController'],
  ])('stops the start, if @TurboCacheRoute stands on %s', async (_, controller, className) => {
    const error = (await starting(controller)) as TurboCacheError;
    expect(error).toMatchObject({ name: 'ConfigurationError', code: 'E_TURBOCACHE_OPTION', option: 'cache' });
    expect(error.message).toBe(
      `@TurboCacheRoute on ${className}.read uses the default manager, which this application does not have; ` +
        'expected TurboCacheModule.forRoot() without a name, or the `cache` option with the name of a manager.',
    );
  });

  it('does not mind a controller that names one, nor what is switched off or never cached', async () => {
    @Controller('named')
    @UseInterceptors(TurboCacheInterceptor)
    @TurboCacheRoute({ cache: 'pages' })
    class Named {
      @Get()
      @TurboCacheRoute({ ttl: '1m' })
      read(): number {
        return 1;
      }
    }
    @Controller('off')
    @TurboCacheRoute({ ttl: '1m' })
    class Off {
      @Get()
      @TurboCacheRoute(false)
      read(): number {
        return 1;
      }

      @Post()
      write(): number {
        return 1;
      }
    }
    expect(await starting(Named)).toBe('it started');
    expect(await starting(Off)).toBe('it started');
  });
});

describe('a route that no interceptor reads', () => {
  const failuresOf = async (metadata: Pick<ModuleMetadata, 'controllers' | 'providers'>): Promise<Reported[]> => {
    const failures: Reported[] = [];
    const onError = (error: TurboCacheError, failure: CacheFailure): void => void failures.push({ error, ...failure });
    await start({ imports: [TurboCacheModule.forRoot({ onError })], ...metadata });
    return failures;
  };

  @Controller('unread')
  class Unread {
    @Get('one')
    @TurboCacheRoute({ ttl: '1m' })
    one(): number {
      return 1;
    }

    @Get('two')
    @UseInterceptors(TurboCacheInterceptor)
    @TurboCacheRoute({ ttl: '1m' })
    two(): number {
      return 2;
    }

    @Get('plain')
    plain(): number {
      return 3;
    }
  }

  it('is told to onError once, by name', async () => {
    const failures = await failuresOf({ controllers: [Unread] });
    expect(failures).toMatchObject([
      { operation: 'read', method: 'Unread.one', error: { code: 'E_TURBOCACHE_DECORATOR' } },
    ]);
    expect(failures[0]!.error.message).toContain('@TurboCacheRoute on Unread.one: no TurboCacheInterceptor reads it');
  });

  it('is told once for a controller none of whose routes are read', async () => {
    @Controller('all')
    @TurboCacheRoute({ ttl: '1m' })
    class All {
      @Get('one')
      one(): number {
        return 1;
      }

      @Get('two')
      two(): number {
        return 2;
      }
    }
    expect((await failuresOf({ controllers: [All] })).map(({ method }) => method)).toEqual(['All.*']);
  });

  @Injectable()
  class Ours extends TurboCacheInterceptor {}

  it.each<[string, Pick<ModuleMetadata, 'controllers' | 'providers'>]>([
    [
      'the interceptor is for all routes',
      { providers: [{ provide: APP_INTERCEPTOR, useClass: TurboCacheInterceptor }] },
    ],
    ['one that extends it is for all routes', { providers: [{ provide: APP_INTERCEPTOR, useClass: Ours }] }],
    ['the application may bind it by itself', { providers: [TurboCacheInterceptor] }],
  ])('is not missed where %s', async (_, { providers = [] }) => {
    expect(await failuresOf({ controllers: [Unread], providers })).toEqual([]);
  });

  it('is not missed where one that extends it is bound', async () => {
    @Controller('extended')
    @UseInterceptors(Ours)
    class Extended {
      @Get()
      @TurboCacheRoute({ ttl: '1m' })
      read(): number {
        return 1;
      }
    }
    expect(await failuresOf({ controllers: [Extended, OnHandler, OnController] })).toEqual([]);
  });
});
