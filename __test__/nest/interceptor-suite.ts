/** What `TurboCacheInterceptor` promises, on whichever HTTP platform Nest stands. */
import {
  Controller,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  NotFoundException,
  Param,
  Post,
  Query,
  Redirect,
  Req,
  Res,
  Sse,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { of } from 'rxjs';
import { CacheManager } from 'turbocache-js';
import { TurboCacheInterceptor, TurboCacheModule, TurboCacheRoute } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { track } from './fixture';

/** The header methods of Express and of Fastify. */
interface AnyResponse {
  header(name: string, value: string): unknown;
}

class Account {
  constructor(readonly name: string) {}
}

let calls = 0;

@Controller()
@UseInterceptors(TurboCacheInterceptor)
@TurboCacheRoute({ ttl: '1m' })
class Pages {
  @Get('page')
  page(@Query() query: object): object {
    return { query, call: (calls += 1) };
  }

  @Post('page')
  post(): object {
    return { call: (calls += 1) };
  }

  @Get('tagged/:id')
  @TurboCacheRoute({ ttl: '1h', tags: ['pages'], cache: 'routes' })
  tagged(@Param('id') id: string): object {
    return { id, call: (calls += 1) };
  }

  @Get('off')
  @TurboCacheRoute(false)
  off(): object {
    return { call: (calls += 1) };
  }

  @Get('language')
  @TurboCacheRoute({ varyBy: ['Accept-Language'] })
  language(@Req() request: { headers: Record<string, string> }): object {
    return { language: request.headers['accept-language'], call: (calls += 1) };
  }

  @Get('headers')
  @Header('x-fixed', 'always')
  headers(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('x-computed', `of call ${(calls += 1)}`);
    return { call: calls };
  }

  @Get('session')
  session(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('set-cookie', 'id=1');
    return { call: (calls += 1) };
  }

  @Get('private')
  @Header('cache-control', 'private, max-age=60')
  private(): object {
    return { call: (calls += 1) };
  }

  @Get('varies')
  varies(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('vary', 'x-user');
    return { call: (calls += 1) };
  }

  @Get('accepted')
  @HttpCode(202)
  accepted(): object {
    return { call: (calls += 1) };
  }

  @Get('missing')
  missing(): never {
    throw new NotFoundException(`call ${(calls += 1)}`);
  }

  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Buffer.from(`call ${(calls += 1)}`));
  }

  @Get('away')
  @Redirect('/page')
  away(): object {
    return { url: `/page?call=${(calls += 1)}` };
  }

  @Sse('events')
  events(): unknown {
    return of({ data: `call ${(calls += 1)}` });
  }

  @Get('account')
  account(): object {
    return { account: new Account('ada'), call: (calls += 1) };
  }

  @Get('null')
  nothing(): null {
    calls += 1;
    return null;
  }

  @Get('slow')
  async slow(): Promise<object> {
    const call = (calls += 1);
    await new Promise((resolve) => setImmediate(resolve));
    return { call };
  }
}

/** An application of one platform, before it is started. */
type Create = (module: Awaited<ReturnType<ReturnType<typeof Test.createTestingModule>['compile']>>) => INestApplication;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cache: string | null;
  readonly headers: Headers;
}

export function interceptorSuite(platform: string, create: Create): void {
  const started = async () => {
    const imports = [TurboCacheModule.forRoot()];
    const module = await Test.createTestingModule({ imports, controllers: [Pages] }).compile();
    const app = track(create(module));
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const get = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> => {
      const response = await fetch(url + path, { headers, method, redirect: 'manual' });
      const { status } = response;
      return { status, body: await response.text(), cache: response.headers.get('x-cache'), headers: response.headers };
    };
    /** Asks twice: whether the handler ran for both. */
    const runsTwice = async (path: string, headers?: Record<string, string>, method?: string): Promise<boolean> => {
      const before = calls;
      await get(path, headers, method);
      await get(path, headers, method);
      return calls - before === 2;
    };
    return { app, get, runsTwice };
  };

  describe(`TurboCacheInterceptor on ${platform}`, () => {
    it('answers the second request from the cache, and says so', async () => {
      const { get } = await started();
      const [first, second] = [await get('/page?a=1'), await get('/page?a=1')];
      expect([first.cache, second.cache]).toEqual(['MISS', 'HIT']);
      expect(second).toMatchObject({ status: 200, body: first.body });
      expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
    });

    it('does not mind the order of the query, but its values and their order', async () => {
      const { get } = await started();
      await get('/page?a=1&b=2&b=3');
      expect((await get('/page?b=2&b=3&a=1')).cache).toBe('HIT');
      for (const other of ['?b=3&b=2&a=1', '?a=1&b=2', '?a=1%26b=2&b=3', '']) {
        expect((await get(`/page${other}`)).cache, other).toBe('MISS');
      }
    });

    it('takes ttl, cache and tags from the route', async () => {
      const { app, get } = await started();
      await get('/tagged/1');
      const routes = app.get(CacheManager).cache('routes');
      const entry = await routes.getEntry('GET 127.0.0.1/tagged/1?');
      expect(entry!.tags).toEqual(['pages']);
      expect(entry!.ttl).toBeGreaterThan(3_500_000);
      await routes.invalidateTags(['pages']);
      expect((await get('/tagged/1')).cache).toBe('MISS');
    });

    it('makes the headers that count part of the key, and names them', async () => {
      const { get } = await started();
      const norwegian = await get('/language', { 'accept-language': 'no' });
      expect(norwegian.headers.get('vary')).toContain('accept-language');
      expect((await get('/language', { 'accept-language': 'en' })).body).toContain('"en"');
      expect((await get('/language', { 'accept-language': 'no' })).body).toBe(norwegian.body);
    });

    it('repeats the headers that the handler has set', async () => {
      const { get } = await started();
      const [first, second] = [await get('/headers'), await get('/headers')];
      expect(second.cache).toBe('HIT');
      expect(second.headers.get('x-computed')).toBe(first.headers.get('x-computed'));
      expect(second.headers.get('x-fixed')).toBe('always');
    });

    it('caches null', async () => {
      expect(await (await started()).runsTwice('/null')).toBe(false);
    });

    it.each<[string, string, Record<string, string>, string]>([
      ['that names its user (Authorization)', '/page', { authorization: 'Bearer x' }, 'GET'],
      ['with a cookie', '/page', { cookie: 'id=1' }, 'GET'],
      ['for a part', '/page', { range: 'bytes=0-1' }, 'GET'],
      ['that wants no cache', '/page', { 'cache-control': 'no-cache' }, 'GET'],
      ['that changes something', '/page', {}, 'POST'],
      ['for a route that is switched off', '/off', {}, 'GET'],
      ['for server-sent events', '/events', {}, 'GET'],
      ['that is redirected', '/away', {}, 'GET'],
    ])('neither reads nor stores for a request %s', async (_, path, headers, method) => {
      const { get, runsTwice } = await started();
      expect(await runsTwice(path, headers, method)).toBe(true);
      expect((await get(path, headers, method)).cache).toBeNull();
    });

    it.each<[string, string]>([
      ['with Set-Cookie', '/session'],
      ['that is private', '/private'],
      ['that depends on a header which is not in the key', '/varies'],
      ['with another status', '/accepted'],
      ['that is an error', '/missing'],
      ['that is a file', '/file'],
      ['that holds instances of classes', '/account'],
    ])('does not store a response %s', async (_, path) => {
      expect(await (await started()).runsTwice(path)).toBe(true);
    });

    it('passes errors, files and instances of classes on unchanged', async () => {
      const { get } = await started();
      expect(await get('/missing')).toMatchObject({ status: 404, body: expect.stringContaining('call ') });
      expect(await get('/file')).toMatchObject({ status: 200, body: expect.stringMatching(/^call \d+$/) });
      expect((await get('/account')).body).toContain('"ada"');
    });

    it('does not answer a user with what it stored for nobody, nor the other way round', async () => {
      const { get } = await started();
      const open = await get('/page');
      expect((await get('/page', { authorization: 'Bearer x' })).body).not.toBe(open.body);
      expect((await get('/page')).body).toBe(open.body);
    });

    it('runs the handler once for requests that come together, and for each when the answer is not for all', async () => {
      const { get } = await started();
      const before = calls;
      const together = await Promise.all(Array.from({ length: 10 }, () => get('/slow')));
      expect(new Set(together.map(({ body }) => body)).size).toBe(1);
      expect(calls - before).toBe(1);
      const apart = await Promise.all(Array.from({ length: 10 }, () => get('/session')));
      expect(new Set(apart.map(({ body }) => body)).size).toBe(10);
    });
  });
}
