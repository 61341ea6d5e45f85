/** What `TurboCacheInterceptor` promises, on whichever HTTP platform Nest stands. */
import { Readable } from 'node:stream';
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
  Render,
  Req,
  Res,
  Sse,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { of } from 'rxjs';
import { CacheManager } from 'turbocache-js';
import {
  TurboCacheInterceptor,
  TurboCacheModule,
  type TurboCacheModuleOptions,
  TurboCacheRoute,
} from 'turbocache-js/nest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../rig/redis';
import { until } from '../rig/until';
import { errorOf, stop, track } from './fixture';

/** What the responses of Express and of Fastify have in common. */
interface AnyResponse {
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

class Account {
  constructor(readonly name: string) {}
}

let calls = 0;
let fails = false;

@Controller('tenants')
@UseInterceptors(TurboCacheInterceptor)
@TurboCacheRoute({ varyBy: { tenant: ({ headers }) => headers['x-tenant'], headers: ['X-Mode'] } })
class Tenants {
  @Get('report')
  @TurboCacheRoute({ varyBy: ['accept-language'] })
  report(@Req() request: { headers: Record<string, string> }): object {
    return { of: request.headers['x-tenant'], call: (calls += 1) };
  }
}

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

  @Get('no-store')
  @Header('cache-control', 'no-store')
  noStore(): object {
    return { call: (calls += 1) };
  }

  @Get('no-cache')
  noCache(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('cache-control', 'max-age=0, no-cache');
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

  @Get('stream')
  stream(): Readable {
    return Readable.from([`call ${(calls += 1)}`]);
  }

  @Get('bytes')
  bytes(): Buffer {
    return Buffer.from(`call ${(calls += 1)}`);
  }

  @Get('undefined')
  undefined(): undefined {
    calls += 1;
  }

  @Get('view')
  @Render('view')
  view(): object {
    return { call: (calls += 1) };
  }

  /** What it returns is not what it sends. */
  @Get('sent')
  sent(@Res() response: AnyResponse): object {
    response.send(`call ${(calls += 1)}`);
    return { call: calls };
  }

  @Sse('events')
  events(): unknown {
    return of({ data: `call ${(calls += 1)}` });
  }

  @Get('account')
  account(): object {
    return { account: new Account('ada'), call: (calls += 1) };
  }

  @Get('etag')
  etag(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('etag', '"mine, all mine"');
    return { call: (calls += 1) };
  }

  @Get('mine')
  @TurboCacheRoute({ varyBy: { user: ({ headers }) => headers.authorization } })
  mine(@Req() request: { headers: Record<string, string> }): object {
    return { of: request.headers['authorization'], call: (calls += 1) };
  }

  @Get('mine/private')
  @Header('cache-control', 'private, max-age=5')
  @TurboCacheRoute({ varyBy: { user: ({ headers }) => headers.authorization } })
  minePrivate(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('vary', 'authorization');
    return { call: (calls += 1) };
  }

  @Get('mine/session')
  @TurboCacheRoute({ varyBy: { user: () => 'ada' } })
  mineSession(@Res({ passthrough: true }) response: AnyResponse): object {
    response.header('set-cookie', 'id=1');
    return { call: (calls += 1) };
  }

  @Get('mine/broken')
  @TurboCacheRoute({ varyBy: { user: ({ session }) => session.user } })
  mineBroken(): object {
    return { call: (calls += 1) };
  }

  @Get('plan')
  @TurboCacheRoute({ varyBy: { plan: ({ headers }) => headers['x-plan'] ?? 'free' } })
  plan(): object {
    return { call: (calls += 1) };
  }

  @Get('keyed/:id')
  @TurboCacheRoute({ key: 'keyed:#{params.id}:#{query.page?}', tags: ['keyed', 'keyed:#{params.id}'] })
  keyed(@Param('id') id: string): object {
    return { id, call: (calls += 1) };
  }

  @Get('function/:id')
  @TurboCacheRoute({ key: ({ params }) => (params.id === 'none' ? '' : `function:${params.id}`) })
  byFunction(@Param('id') id: string): object {
    return { id, call: (calls += 1) };
  }

  @Get('grace')
  @TurboCacheRoute({ key: 'grace', grace: '1h' })
  grace(): object {
    if (fails) throw new NotFoundException('the source is away');
    return { call: (calls += 1) };
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

/** An application of one platform, before it is started. Its templates print `call ` and the `call` of what they are given. */
type Create = (module: Awaited<ReturnType<ReturnType<typeof Test.createTestingModule>['compile']>>) => INestApplication;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cache: string | null;
  readonly headers: Headers;
}

export function interceptorSuite(platform: string, create: Create): void {
  const started = async (options: TurboCacheModuleOptions = {}) => {
    const failures: { operation: string; code: string }[] = [];
    const onError = ({ code }: { code: string }, { operation }: { operation: string }): void => {
      failures.push({ operation, code });
    };
    const imports = [TurboCacheModule.forRoot({ onError, ...options })];
    const module = await Test.createTestingModule({ imports, controllers: [Pages, Tenants] }).compile();
    const app = track(create(module));
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const get = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> => {
      // With `If-None-Match` fetch adds `no-cache` of its own, unless it is told what a browser sends that revalidates.
      const asked = 'if-none-match' in headers ? { 'cache-control': 'max-age=0', ...headers } : headers;
      const response = await fetch(url + path, { headers: asked, method, redirect: 'manual' });
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
    return { app, get, runsTwice, failures };
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
      const entry = await routes.getEntry('GET Pages.tagged 127.0.0.1/tagged/1?');
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
      ['that wants nothing stored', '/page', { 'cache-control': 'no-store' }, 'GET'],
      ['that changes something', '/page', {}, 'POST'],
      ['that asks for headers alone', '/page', {}, 'HEAD'],
      ['for a route that is switched off', '/off', {}, 'GET'],
      ['for server-sent events', '/events', {}, 'GET'],
      ['that is redirected', '/away', {}, 'GET'],
      ['that is answered by a template', '/view', {}, 'GET'],
      ['whose handler sends the response itself', '/sent', {}, 'GET'],
    ])('neither reads nor stores for a request %s', async (_, path, headers, method) => {
      const { get, runsTwice } = await started();
      expect(await runsTwice(path, headers, method)).toBe(true);
      expect((await get(path, headers, method)).cache).toBeNull();
    });

    it.each<[string, string]>([
      ['with Set-Cookie', '/session'],
      ['that is private', '/private'],
      ['that says no-store', '/no-store'],
      ['that says no-cache', '/no-cache'],
      ['that depends on a header which is not in the key', '/varies'],
      ['with another status', '/accepted'],
      ['that is an error', '/missing'],
      ['that is a file', '/file'],
      ['that is a stream', '/stream'],
      ['that is bytes', '/bytes'],
      ['that is nothing', '/undefined'],
      ['that holds instances of classes', '/account'],
    ])('does not store a response %s', async (_, path) => {
      expect(await (await started()).runsTwice(path)).toBe(true);
    });

    it('passes templates and what handlers send themselves on unchanged', async () => {
      const { get } = await started();
      for (const path of ['/view', '/sent']) {
        expect(await get(path)).toMatchObject({ status: 200, body: `call ${calls}` });
        expect(await get(path)).toMatchObject({ status: 200, body: `call ${calls}` });
      }
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

    it('tells a client that has the answer so, on a miss as on a hit', async () => {
      const { get } = await started();
      const { headers, body } = await get('/page?etag');
      const etag = headers.get('etag')!;
      expect(etag).toMatch(/^W\/"[\w-]+"$/);
      for (const known of [etag, `"other", ${etag}`, etag.slice(2), '*']) {
        const answer = await get('/page?etag', { 'if-none-match': known });
        expect(answer, known).toMatchObject({ status: 304, body: '', cache: 'HIT' });
        expect(answer.headers.get('etag')).toBe(etag);
      }
      expect(await get('/page?etag', { 'if-none-match': '"other"' })).toMatchObject({ status: 200, body });
      const nothing = await get('/null');
      expect(nothing.headers.get('etag')).not.toBeNull();

      const fresh = await started();
      const known = { 'if-none-match': (await fresh.get('/null')).headers.get('etag')! };
      await fresh.app.get(CacheManager).clear();
      expect(await fresh.get('/null', known)).toMatchObject({ status: 304, cache: 'MISS' });
    });

    it("keeps the handler's own ETag", async () => {
      const { get } = await started();
      const [first, second] = [await get('/etag'), await get('/etag')];
      expect([first, second].map(({ headers }) => headers.get('etag'))).toEqual([
        '"mine, all mine"',
        '"mine, all mine"',
      ]);
      expect((await get('/etag', { 'if-none-match': 'W/"mine, all mine"' })).status).toBe(304);
    });

    it('answers requests with credentials from the cache only where a function says who asks', async () => {
      const { get } = await started();
      const ask = (user: string) => get('/mine', { authorization: user });
      const [ada, bob] = [await ask('ada'), await ask('bob')];
      expect([ada.cache, bob.cache]).toEqual(['MISS', 'MISS']);
      expect(await ask('ada')).toMatchObject({ cache: 'HIT', body: ada.body });
      expect(await ask('bob')).toMatchObject({ cache: 'HIT', body: bob.body });
      for (const { headers } of [ada, await ask('ada')]) expect(headers.get('cache-control')).toBe('private');
    });

    it('neither reads nor stores when the function does not know, and goes on when it fails', async () => {
      const { get, runsTwice, failures } = await started();
      expect(await runsTwice('/mine')).toBe(true);
      expect(await runsTwice('/mine', { cookie: 'id=1' })).toBe(true);
      expect(await runsTwice('/mine/broken', { cookie: 'id=1' })).toBe(true);
      expect((await get('/mine/broken')).status).toBe(200);
      expect(failures[0]).toEqual({ operation: 'key', code: 'E_TURBOCACHE_DECORATOR' });
    });

    it('keeps what is private for its user, and Set-Cookie for nobody', async () => {
      const { runsTwice } = await started();
      expect(await runsTwice('/mine/private', { authorization: 'ada' })).toBe(false);
      expect(await runsTwice('/mine/session', { authorization: 'ada' })).toBe(true);
    });

    it('lets a tenant share its answers; what the controller tells apart, its routes tell apart too', async () => {
      const { get } = await started();
      const ask = (tenant: string, more: Record<string, string> = {}) =>
        get('/tenants/report', { 'x-tenant': tenant, authorization: 'anybody', ...more });
      await ask('acme');
      expect((await ask('acme', { authorization: 'somebody else' })).cache).toBe('HIT');
      expect((await ask('other')).cache).toBe('MISS');
      expect((await ask('acme', { 'accept-language': 'no' })).cache).toBe('MISS');
      expect((await ask('acme', { 'x-mode': 'raw' })).cache).toBe('MISS');
      expect((await ask('acme')).headers.get('vary')).toMatch(/x-mode, accept-language/);
      expect((await get('/tenants/report', { authorization: 'anybody' })).cache).toBeNull();
    });

    it('takes any other function for a part of the key, which permits no credentials', async () => {
      const { get, runsTwice } = await started();
      await get('/plan');
      expect((await get('/plan')).cache).toBe('HIT');
      expect((await get('/plan', { 'x-plan': 'gold' })).cache).toBe('MISS');
      expect(await runsTwice('/plan', { authorization: 'ada' })).toBe(true);
    });

    it('takes a key and tags from templates over the request, or a key from a function', async () => {
      const { app, get, runsTwice, failures } = await started();
      await get('/keyed/a%3Ab?page=2&noise=1');
      expect((await get('/keyed/a%3Ab?page=2&noise=2')).cache).toBe('HIT');
      expect((await get('/keyed/a%3Ab')).cache).toBe('MISS');
      const manager = app.get(CacheManager);
      expect([...(await manager.getEntry('GET keyed:a%3Ab:~2'))!.tags].sort()).toEqual(['keyed', 'keyed:a%3Ab']);
      await manager.invalidateTags(['keyed:a%3Ab']);
      expect((await get('/keyed/a%3Ab')).cache).toBe('MISS');

      await get('/function/1?x=1');
      expect((await get('/function/1?x=2')).cache).toBe('HIT');
      await manager.delete('GET function:1');
      expect((await get('/function/1')).cache).toBe('MISS');
      expect(await runsTwice('/function/none')).toBe(true);
      expect(failures[0]).toEqual({ operation: 'key', code: 'E_TURBOCACHE_DECORATOR' });
    });

    it('says that an answer is old when only its grace keeps it', async () => {
      const { app, get } = await started();
      const { body } = await get('/grace');
      await app.get(CacheManager).expire('GET grace');
      fails = true;
      try {
        expect(await get('/grace')).toMatchObject({ status: 200, body, cache: 'STALE' });
      } finally {
        fails = false;
      }
    });

    describe('with Redis', () => {
      let redis: RedisServer;
      beforeAll(async () => {
        redis = await startRedis();
      });
      afterAll(() => redis.stop());

      it('tells the age by what the server says is left of its life', async () => {
        const options = { redis: { url: redis.url, commandTimeout: '10s' as const } };
        const one = await started(options);
        await one.app.get(CacheManager).ready();
        const first = await one.get('/page?age');
        expect(first.headers.get('age')).toBeNull();
        // The answer does not wait for Redis to have it, the end does. And who is still storing it when another program changes it would
        // remove it: the two may have come in either order.
        await stop(one.app);
        const names = (await redis.cli('KEYS', '*page*:v')) as string[];
        expect(names).toHaveLength(1);
        await redis.cli('PEXPIRE', names[0]!, '20500');
        // This one begins behind both changes: the server tells it of none.
        const other = await started(options);
        await other.app.get(CacheManager).ready();
        // What is read before the bus is heard is not kept, and nobody knows its age.
        let age: string | null = null;
        await until('the age is known', async () => {
          const second = await other.get('/page?age');
          expect(second).toMatchObject({ cache: 'HIT', body: first.body });
          age = second.headers.get('age');
          return age !== null;
        });
        expect(Number(age)).toBeGreaterThanOrEqual(39);
        expect(Number(age)).toBeLessThan(60);
      });
    });
  });

  it.each<[string, unknown, string]>([
    ['an unknown name in a key', { key: 'a:#{param.id}' }, 'key'],
    ['an unknown name in a tag', { tags: ['a:#{id}'] }, 'tags'],
    ['an empty key', { key: '' }, 'key'],
    ['a key that is none', { key: 5 }, 'key'],
    ['a header that is none', { varyBy: [5] }, 'varyBy'],
    ['a user that is no function', { varyBy: { user: 'id' } }, 'varyBy.user'],
    ['headers that are no list', { varyBy: { headers: 'accept' } }, 'varyBy.headers'],
    ['varyBy that is none', { varyBy: 'accept' }, 'varyBy'],
  ])('%s is a mistake when the class is defined', (_, options, option) => {
    const error = errorOf(() => TurboCacheRoute(options as object)({}, 'find', { value: () => 1 }));
    expect(error).toMatchObject({ code: 'E_TURBOCACHE_DECORATOR', option });
  });
}
