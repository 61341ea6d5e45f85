import { expect } from './expect';
import type { HttpAnswer, HttpClient } from './http-client';
import type { Service } from './service-process';
import { table } from './table';

/** What came of a request, and how many statements it cost the database. */
interface Seen extends HttpAnswer {
  statements: number;
}

/** One request of each kind that the measured part leaves out: what it shows is checked, what it costs is counted. */
export async function tour({ client }: Service): Promise<void> {
  console.log('\n6. What else is in this service');
  const ask = asking(client);
  const rows = [
    ...(await pages(ask)),
    ...(await tenants(ask)),
    ...(await commits(ask)),
    ...(await graphs(ask)),
    ...(await health(ask)),
  ];
  console.log(
    table(
      ['request', 'answer', 'statements'],
      rows.map(([request, answer, { statements }]) => [request, answer, `${statements}`]),
    ),
  );
}

type Row = [request: string, answer: string, seen: Seen];
type Ask = (path: string, headers?: Record<string, string>, body?: object) => Promise<Seen>;

/** Whole responses by `TurboCacheInterceptor`, one a language. */
async function pages(ask: Ask): Promise<Row[]> {
  const inLanguage = (language: string, tag?: string): Promise<Seen> =>
    ask('/atlas/NO', { 'accept-language': language, ...(tag === undefined ? {} : { 'if-none-match': tag }) });
  const first = await inLanguage('nb');
  const again = await inLanguage('nb');
  const known = await inLanguage('nb', first.headers.etag ?? '');
  const other = await inLanguage('fr');
  const cache = (seen: Seen): string => `${seen.status} ${String(seen.headers['x-cache'])}`;
  expect(nameIn(first) === 'Norge' && nameIn(other) === 'Norvège', 'each reader has his language', [first, other]);
  expect(again.statements === 0 && known.status === 304 && other.statements === 0, 'pages are cached', [again, known]);
  return [
    ['GET /atlas/NO, Accept-Language: nb', `${cache(first)}, ${nameIn(first)}`, first],
    ['again', cache(again), again],
    ['again, with If-None-Match', cache(known), known],
    ['Accept-Language: fr', `${cache(other)}, ${nameIn(other)}`, other],
  ];
}

/** The tenant is part of the key, and comes from the context of the request. */
async function tenants(ask: Ask): Promise<Row[]> {
  const places = await ids(ask);
  const added = await ask('/favourites', { 'x-tenant': 'acme' }, { places: places.slice(0, 2) });
  const first = await ask('/favourites', { 'x-tenant': 'acme' });
  const again = await ask('/favourites', { 'x-tenant': 'acme' });
  const other = await ask('/favourites', { 'x-tenant': 'other' });
  expect(count(again) === 2 && again.statements === 0 && count(other) === 0, 'tenants are apart', [again, other]);
  return [
    ['POST /favourites, x-tenant: acme, 2 places', `${added.status}`, added],
    ['GET /favourites, x-tenant: acme', `${count(first)} places`, first],
    ['again', `${count(again)} places`, again],
    ['x-tenant: other', `${count(other)} places`, other],
  ];
}

/** What a transaction would have made old stays, if the transaction does not come about. */
async function commits(ask: Ask): Promise<Row[]> {
  const places = await ids(ask);
  const headers = { 'x-tenant': 'acme' };
  const refused = await ask('/favourites', headers, { places: [...places.slice(2), 1] });
  const kept = await ask('/favourites', headers);
  const added = await ask('/favourites', headers, { places: places.slice(2) });
  const now = await ask('/favourites', headers);
  expect(refused.status === 400 && count(kept) === 2 && kept.statements === 0, 'a rollback drops nothing', [
    refused,
    kept,
  ]);
  expect(added.status === 201 && count(now) === 3, 'a commit drops the list', [added, now]);
  return [
    ['POST /favourites, one of 2 unknown: rolled back', `${refused.status}`, refused],
    ['GET /favourites', `${count(kept)} places, still cached`, kept],
    ['POST /favourites, 1 place: committed', `${added.status}`, added],
    ['GET /favourites', `${count(now)} places`, now],
  ];
}

/** A hundred places and their countries: with a statement for each it would be a hundred and one. */
async function graphs(ask: Ask): Promise<Row[]> {
  const query = '{ places(prefix: "san", count: 100) { name country { country population } } }';
  const places = (seen: Seen): unknown[] => (seen.body as { data: { places: unknown[] } }).data.places;
  const first = await ask('/graphql', {}, { query });
  const again = await ask('/graphql', {}, { query });
  expect([2, 3].includes(first.statements) && again.statements === 0, 'no statement for each place', [first, again]);
  return [
    [`GraphQL: ${places(first).length} places, each with its country`, `${first.status}`, first],
    ['again', `${again.status}`, again],
  ];
}

async function health(ask: Ask): Promise<Row[]> {
  const seen = await ask('/health');
  const { state, remote } = (seen.body as { details: { cache: { state: string; remote: string } } }).details.cache;
  expect(seen.status === 200 && state === 'healthy', 'the service is well', seen);
  return [['GET /health', `${seen.status} ${state}, remote tier: ${remote}`, seen]];
}

function asking(client: HttpClient): Ask {
  const statements = async (): Promise<number> =>
    ((await client.get('/cache/statements')).body as { statements: number }).statements;
  return async (path, headers = {}, body) => {
    const before = await statements();
    const answer = await client.send(body === undefined ? 'GET' : 'POST', path, headers, body);
    return { ...answer, statements: (await statements()) - before };
  };
}

async function ids(ask: Ask): Promise<number[]> {
  const { body } = await ask('/places/search?prefix=san&count=3');
  return (body as { id: number }[]).map(({ id }) => id);
}

const nameIn = ({ body }: Seen): string => (body as { name: string }).name;
const count = ({ body }: Seen): number => (body as unknown[]).length;
