/** What the service of the example shows, in two processes over one real Redis. A part of `cities.test.ts`, which compiles it. */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CacheStats } from 'turbocache-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HttpClient, type HttpAnswer } from '../../examples/cities/demo/http-client';
import type { Place } from '../../examples/cities/service/places/place';
import { startRedis, type RedisServer } from '../rig/redis';
import { until } from '../rig/until';

const compiled = fileURLToPath(new URL('../../examples/cities/dist', import.meta.url));

let redis: RedisServer;
let environment: Record<string, string>;
const started: ChildProcess[] = [];
let a: Asked;
let b: Asked;

export function citiesService(): void {
  beforeAll(async () => {
    redis = await startRedis();
    const database = await start('database/main.js', { CITIES_LIMIT: '5000' });
    environment = { DATABASE_PORT: `${database}`, REDIS_URL: redis.url };
    a = asking(await start('service/main.js', environment));
    b = asking(await start('service/main.js', environment));
  }, 120_000);
  afterAll(async () => {
    a.client.close();
    b.client.close();
    for (const child of started.toReversed()) await ended(child);
    await redis.stop();
  });

  it('has warmed the ranking before the first request, once for both processes', async () => {
    const [inA, inB] = [await a.get('/countries'), await b.get('/countries')];
    expect([inA.statements, inB.statements]).toEqual([0, 0]);
    expect(inA.body).toEqual(inB.body);
    const warmed = [(await a.statements()) + (await b.statements())];
    expect(warmed).toEqual([1]);
  });

  it('shares what one process loads, and keeps what is not worth an entry out of the cache', async () => {
    expect((await a.get('/places/search?prefix=san')).statements).toBe(1);
    expect((await b.get('/places/search?prefix=san')).statements).toBe(0);
    for (const prefix of ['san francisco', 'nowhere']) {
      for (let i = 0; i < 2; i++)
        expect((await a.get(`/places/search?prefix=${prefix.replace(' ', '%20')}`)).statements).toBe(1);
    }
  });

  it('drops the lists of one prefix by a pattern, however long they are, and no others', async () => {
    const lists = ['ber&count=3', 'ber&count=5', 'berl&count=3'].map((query) => `/places/search?prefix=${query}`);
    for (const list of lists) await a.get(list);
    expect((await a.client.send('DELETE', '/places/search?prefix=BER')).status).toBe(204);
    const statements: number[] = [];
    for (const list of lists) statements.push((await a.get(list)).statements);
    expect(statements).toEqual([1, 1, 0]);
  });

  it('keeps one entry for all places of a region, whatever else is known of them, until one of them changes', async () => {
    const [place] = (await a.get('/places/search?prefix=munich&count=1')).body as Place[];
    const near = (await a.get(`/places/nearest?latitude=${place!.latitude}&longitude=${place!.longitude}`))
      .body as Place[];
    const neighbour = near.find(({ id, region }) => id !== place!.id && region === place!.region);
    for (const { id } of [place!, neighbour!]) await a.get(`/places/${id}`);

    const first = await a.get(`/places/${place!.id}/region`);
    expect(first).toMatchObject({ statements: 1, body: { country: 'DE', region: place!.region } });
    expect(await a.get(`/places/${neighbour!.id}/region`)).toMatchObject({ statements: 0, body: first.body });
    expect((await a.get('/places/1/region')).status).toBe(404);

    await a.client.patch(`/places/${neighbour!.id}`, { population: neighbour!.population + 7 });
    const { population } = (await a.get(`/places/${place!.id}/region`)).body as Place;
    expect(population - first.body.population).toBe(7);
  });

  it('drops by an event what others have computed from a place, in both processes', async () => {
    const [place] = (await a.get('/places/search?prefix=paris&count=1')).body as Place[];
    const figure = async (): Promise<number> => (await b.get('/countries/FR')).body.population;
    const page = async (): Promise<Answer> => b.get('/atlas/FR', { 'accept-language': 'en' });
    const [before] = [await figure(), await page()];
    expect((await page()).headers['x-cache']).toBe('HIT');

    const changed = await a.client.patch(`/places/${place!.id}`, { population: place!.population + 1_000 });
    expect(changed.status).toBe(200);
    expect((await a.get('/countries/FR')).body.population).toBe(before + 1_000);
    await until('B has heard of it', async () => (await figure()) === before + 1_000);
    const text = new Intl.NumberFormat('en').format(before + 1_000);
    await until('the page of B, too', async () => (await page()).body.text.startsWith(text));
  });

  it('drops what an import says on a Redis channel', async () => {
    await a.get('/countries/DE');
    expect((await a.get('/countries/DE')).statements).toBe(0);
    await redis.cli('PUBLISH', 'cities:imports', '{"country":"DE"}');
    await until('the message has arrived', async () => (await a.get('/countries/DE')).statements === 1);
  });

  it('keeps pages by language for both processes, with their ETag', async () => {
    const first = await a.get('/atlas/NO', { 'accept-language': 'nb' });
    const inB = await b.get('/atlas/NO', { 'accept-language': 'nb' });
    expect([first.headers['x-cache'], inB.headers['x-cache']]).toEqual(['MISS', 'HIT']);
    expect([first.body.name, inB.body]).toEqual(['Norge', first.body]);
    const known = await b.get('/atlas/NO', { 'accept-language': 'nb', 'if-none-match': first.headers.etag! });
    expect([known.status, known.body]).toEqual([304, undefined]);
    const other = await a.get('/atlas/NO', { 'accept-language': 'fr' });
    // The page is new, the figures in it are not.
    expect([other.headers['x-cache'], other.body.name, other.statements]).toEqual(['MISS', 'Norvège', 0]);
  });

  it('knows the name of a country, a method that cannot wait, when only its figures are new', async () => {
    const page = (): Promise<Answer> => a.get('/atlas/SE', { 'accept-language': 'de' });
    const held = async (): Promise<number> => {
      const { hot, memory } = (await a.get('/cache')).body as CacheStats;
      return hot.hits + memory.hits;
    };
    const [place] = (await a.get('/places/search?prefix=stockholm&count=1')).body as Place[];
    expect((await page()).body.name).toBe('Schweden');
    await a.client.patch(`/places/${place!.id}`, { population: place!.population + 1 });
    const before = await held();
    const again = await page();
    expect([again.headers['x-cache'], again.statements, again.body.name]).toEqual(['MISS', 1, 'Schweden']);
    expect((await held()) - before).toBe(1);
  });

  it('keeps tenants apart, and drops their lists with the commit only', async () => {
    const places = (await a.get('/places/search?prefix=san&count=3')).body.map(({ id }: { id: number }) => id);
    const add = (tenant: string, ids: number[]): Promise<Answer> =>
      a.post('/favourites', { 'x-tenant': tenant }, { places: ids });
    const list = (tenant: string, from = a): Promise<Answer> => from.get('/favourites', { 'x-tenant': tenant });

    expect(await add('acme', places.slice(0, 2))).toMatchObject({ status: 201, body: { added: 2, room: 18 } });
    expect((await list('acme')).body).toHaveLength(2);
    expect(await list('acme', b)).toMatchObject({ statements: 0, body: [{}, {}] });
    expect((await list('other')).body).toEqual([]);
    expect((await a.get('/favourites')).status).toBe(400);

    expect((await add('acme', [places[2], 1])).status).toBe(400);
    expect(await list('acme')).toMatchObject({ statements: 0, body: [{}, {}] });
    expect((await add('acme', [places[2]])).status).toBe(201);
    expect((await list('acme')).body).toHaveLength(3);
    await until('B has heard of it', async () => (await list('acme', b)).body.length === 3);
    expect((await list('other')).statements).toBe(0);
  });

  it('keeps a whole answer for each tenant, in spite of credentials, until a transaction of favourites is committed', async () => {
    const [place, next] = (await a.get('/places/search?prefix=san&count=2')).body as Place[];
    const add = (ids: number[]): Promise<Answer> => a.post('/favourites', { 'x-tenant': 'whole' }, { places: ids });
    const countries = (tenant: string, from = a): Promise<Answer> =>
      from.get('/favourites/countries', { 'x-tenant': tenant, authorization: 'Bearer of-somebody' });
    const seen = ({ headers, body }: Answer): unknown[] => [headers['x-cache'], body];

    await add([place!.id]);
    const first = await countries('whole');
    expect(seen(first)).toEqual(['MISS', [{ country: place!.country, places: 1 }]]);
    expect(first.headers['cache-control']).toContain('private');
    expect(seen(await countries('whole', b))).toEqual(['HIT', first.body]);
    expect(seen(await countries('nobody'))).toEqual(['MISS', []]);

    expect((await add([next!.id, 1])).status).toBe(400);
    expect(seen(await countries('whole'))).toEqual(['HIT', first.body]);
    expect((await add([next!.id])).status).toBe(201);
    const now = await countries('whole');
    expect(now.headers['x-cache']).toBe('MISS');
    expect((now.body as { places: number }[]).reduce((sum, { places }) => sum + places, 0)).toBe(2);
  });

  it('counts the room for favourites once a request, though guard and handler ask', async () => {
    const [place] = (await a.get('/places/search?prefix=par&count=1')).body;
    // One for the room; begin, insert, the row of the journal, and commit.
    expect(await a.post('/favourites', { 'x-tenant': 'counted' }, { places: [place.id] })).toMatchObject({
      status: 201,
      statements: 5,
    });
  });

  it('answers a hundred places with their countries by two statements instead of a hundred and one, then by none', async () => {
    const ask = (from: Asked, query: string): Promise<Answer> => from.post('/graphql', {}, { query });
    const query = '{ places(prefix: "s", count: 100) { name country { country population } } }';
    const cold = await ask(a, query);
    expect(cold.body.data.places).toHaveLength(100);
    // Countries that are not answered for within 5 ms, on a busy machine, are loaded by one more.
    expect([2, 3]).toContain(cold.statements);
    const [warm, elsewhere] = [await ask(a, query), await ask(b, query)];
    expect([warm.statements, elsewhere.statements]).toEqual([0, 0]);
    expect([warm.body, elsewhere.body]).toEqual([cold.body, cold.body]);

    const neighbours = '{ places(prefix: "oslo", count: 1) { name neighbours(count: 2) { name } } }';
    const near = await ask(a, neighbours);
    expect(near.body.data.places[0].neighbours).toHaveLength(2);
    expect((await ask(a, neighbours)).statements).toBe(0);
  });

  it('knows a persisted query in the process that was not told of it', async () => {
    const query = '{ places(prefix: "rome", count: 1) { name } }';
    const persistedQuery = { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') };
    const byHash = (): Promise<Answer> => b.post('/graphql', {}, { extensions: { persistedQuery } });
    expect((await byHash()).body.errors[0].extensions.code).toBe('PERSISTED_QUERY_NOT_FOUND');
    const told = await a.post('/graphql', {}, { query, extensions: { persistedQuery } });
    // Apollo answers before it has stored it.
    await until('B finds it', async () => (await byHash()).body.errors === undefined);
    expect((await byHash()).body).toEqual(told.body);
  });

  it('keeps the figures of countries under their version, beside those of other deploys', async () => {
    await a.get('/countries/FI');
    // The answer does not wait until Redis has it.
    const names = async () => (await redis.cli('KEYS', 'tc:{cities/countries*:country:FI}:v')) as string[];
    await until('it is stored', async () => (await names()).length > 0);
    expect(await names()).toEqual(['tc:{cities/countries@2:country:FI}:v']);
  });

  it('hands on at its end what each hour has brought', async () => {
    const port = await start('service/main.js', environment);
    const ending = started.pop()!;
    const asked = asking(port);
    // One call of sixteen is counted.
    for (let i = 0; i < 32; i += 1) await asked.client.get('/countries/IS');
    asked.client.close();
    await ended(ending);
    const names = await redis.cli('KEYS', '*~turbocache:history:CountriesService.statistics*:v');
    expect(names).toHaveLength(1);
  });

  it('is degraded without Redis, and serves', async () => {
    expect((await a.get('/health')).body.details.cache).toMatchObject({ state: 'healthy', remote: 'up' });
    await redis.stop();
    await until('the health says so', async () => (await a.get('/health')).body.details.cache.state === 'degraded');
    expect(await a.get('/health')).toMatchObject({ status: 200 });
    expect((await a.get('/countries/SE')).body.country).toBe('SE');
    // That nobody tells of changes any more costs what is held, once.
    await until('memory serves', async () => (await a.get('/countries/SE')).statements === 0);
  });
}

/** Resolves to the port that the process serves. */
async function start(module: string, environment: Record<string, string>): Promise<number> {
  const child = fork(path.join(compiled, module), { env: { ...process.env, ...environment } });
  started.push(child);
  for (;;) {
    const [{ kind, port }] = (await once(child, 'message')) as [{ kind: string; port: number }];
    if (kind === 'ready') return port;
  }
}

/** Without its parent it ends by itself, and in order. */
async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.disconnect();
  expect(await exit).toEqual([0, null]);
}

interface Answer extends HttpAnswer {
  body: any;
  /** What the request cost the database. */
  statements: number;
}

interface Asked {
  client: HttpClient;
  statements(): Promise<number>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, headers: Record<string, string>, body: object): Promise<Answer>;
}

function asking(port: number): Asked {
  const client = new HttpClient(port);
  const statements = async (): Promise<number> =>
    ((await client.get('/cache/statements')).body as { statements: number }).statements;
  const send = async (...request: Parameters<HttpClient['send']>): Promise<Answer> => {
    const before = await statements();
    const answer = await client.send(...request);
    return { ...answer, statements: (await statements()) - before };
  };
  return {
    client,
    statements,
    get: (path, headers) => send('GET', path, headers),
    post: (path, headers, body) => send('POST', path, headers, body),
  };
}
