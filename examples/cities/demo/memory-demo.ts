import type { WorldPlace } from '../data/world-places';
import { tierCountsBetween } from '../service/tier-counts';
import { startDatabase } from './database-process';
import { expect } from './expect';
import { HttpClient } from './http-client';
import { askInTurn, warmUp, measure, readTiers, tiersText, type Measured } from './measured-queries';
import { median, percentile } from './percentiles';
import { startService, type Service } from './service-process';
import type { Stage } from './stage';
import { duration, table, times } from './table';
import { tour } from './tour';
import { affectedQueries, NEWCOMERS } from './update';
import { ranking, statistics, workload } from './workload';

const LOAD_REQUESTS = 8_000;
const LOAD_CONNECTIONS = 8;
const CALLERS_AT_ONCE = 100;

/** One service process, no server needed: what a first call costs, what a hit costs, and that an update is seen. */
export async function memoryDemo(stage: Stage, places: readonly WorldPlace[]): Promise<void> {
  console.log('TurboCache on the places of the world, memory only\n');
  const databasePort = await startDatabase(stage, places.length);
  const service = await startService(stage, 'service', databasePort);

  await warmUp(places, [service.client, service.client]);

  await compareOverHttp(service, places);
  await compareMethodCalls(service, places);
  await loadWithHits(service, places);
  await updateAndRead(service, places);
  await askAtOnce(service, places);
  await tour(service);
}

async function compareOverHttp({ client }: Service, places: readonly WorldPlace[]): Promise<void> {
  console.log('\n1. REST calls over one connection, each query twice; times are medians');
  const rows: string[][] = [];
  for (const { kind, turns } of await askInTurn('  requests', workload(places, 'rest'), [client, client])) {
    const [first, hit] = turns as [Measured, Measured];
    expect(hit.tiers.loader === 0, `${kind.title}: the second call of every query is a hit`, hit.tiers);
    const [slow, fast] = [median(first.times), median(hit.times)];
    rows.push([
      kind.title,
      `${kind.queries.length}`,
      duration(slow),
      duration(fast),
      times(slow, fast),
      tiersText(first.tiers),
      tiersText(hit.tiers),
    ]);
  }
  console.log(
    table(['query', 'distinct', 'first call', 'hit', 'faster', 'first answered by', 'hit answered by'], rows),
  );
}

async function compareMethodCalls({ process }: Service, places: readonly WorldPlace[]): Promise<void> {
  console.log('\n2. The same methods called inside the service with new arguments: what remains without HTTP');
  const rows: string[][] = [];
  for (const { title, queries } of workload(places, 'methods')) {
    const calls = queries.map(({ call }) => call);
    const { firstCall, hit } = await process.ask({ kind: 'time-method', calls }, 'timed');
    expect(hit.tiers.loader === 0, `${title}: later calls are hits`, hit.tiers);
    rows.push([
      title,
      `${calls.length}`,
      duration(firstCall.time),
      duration(hit.time),
      times(firstCall.time, hit.time),
      tiersText(firstCall.tiers),
      tiersText(hit.tiers),
    ]);
  }
  console.log(
    table(['method', 'distinct', 'first call', 'hit', 'faster', 'first answered by', 'hits answered by'], rows),
  );
}

async function loadWithHits({ client, port }: Service, places: readonly WorldPlace[]): Promise<void> {
  console.log(
    `\n3. ${LOAD_REQUESTS.toLocaleString('en')} requests for cached answers over ${LOAD_CONNECTIONS} connections`,
  );
  const queries = workload(places, 'rest').flatMap((kind) => kind.queries);
  const clients = Array.from({ length: LOAD_CONNECTIONS }, () => new HttpClient(port));
  const latencies: number[] = [];
  const before = await readTiers(client);
  const start = performance.now();
  await Promise.all(
    clients.map(async (connection, index) => {
      for (let asked = index; asked < LOAD_REQUESTS; asked += LOAD_CONNECTIONS) {
        const query = queries[asked % queries.length];
        if (query !== undefined) latencies.push((await connection.get(query.path)).time);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1_000;
  const tiers = tierCountsBetween(before, await readTiers(client));
  for (const connection of clients) connection.close();

  expect(tiers.loader === 0, 'no request needed the database', tiers);
  const percentiles = [0.5, 0.9, 0.99, 0.999].map(
    (share) => `p${share * 100} ${duration(percentile(latencies, share))}`,
  );
  console.log(
    `  ${Math.round(LOAD_REQUESTS / seconds).toLocaleString('en')} requests/s; ${percentiles.join(', ')}; answered by ${tiersText(tiers)}`,
  );
}

async function updateAndRead({ client }: Service, places: readonly WorldPlace[]): Promise<void> {
  const [place] = places;
  expect(place !== undefined, 'there are places', places.length);
  const untouched = statistics(places.find(({ country }) => country !== place.country)?.country ?? '');
  const affected = affectedQueries(place);
  await measure(client, [...affected, untouched]);
  const cached = await measure(client, affected);
  expect(cached.tiers.loader === 0, 'everything is cached before the update', cached.tiers);

  const population = place.population + NEWCOMERS;
  const { time } = await client.patch(`/places/${place.id}`, { population });
  console.log(
    `\n4. PATCH /places/${place.id} ${JSON.stringify({ population })} (${place.name}, ${duration(time)}); then the next read of`,
  );

  const rows: string[][] = [];
  for (const [index, { title, figure, ...query }] of affected.entries()) {
    const { bodies, times: taken, tiers } = await measure(client, [query]);
    const [was, is] = [figure(cached.bodies[index]), figure(bodies[0])];
    expect(is === was + NEWCOMERS, `${title}: the next read after the update is fresh`, { was, is });
    rows.push([
      title,
      was.toLocaleString('en'),
      is.toLocaleString('en'),
      'fresh',
      duration(taken[0] ?? NaN),
      tiersText(tiers),
    ]);
  }
  const other = await measure(client, [untouched]);
  expect(other.tiers.loader === 0, 'what the update does not touch stays cached', other.tiers);
  rows.push([`${untouched.path}, untouched`, '', '', 'kept', duration(other.times[0] ?? NaN), tiersText(other.tiers)]);
  console.log(table(['answer', 'population before', 'now', '', 'time', 'answered by'], rows));
}

async function askAtOnce({ client, port }: Service, places: readonly WorldPlace[]): Promise<void> {
  const [place] = places;
  expect(place !== undefined, 'there are places', places.length);
  await client.patch(`/places/${place.id}`, { population: place.population }); // drops the ranking again
  const crowd = new HttpClient(port, CALLERS_AT_ONCE);
  const before = await readTiers(client);
  await Promise.all(Array.from({ length: CALLERS_AT_ONCE }, () => crowd.get(ranking(0).path)));
  const tiers = tierCountsBetween(before, await readTiers(client));
  crowd.close();
  expect(tiers.loader === 1, `${CALLERS_AT_ONCE} callers at once cause one load`, tiers);
  console.log(
    `\n5. ${CALLERS_AT_ONCE} callers at once ask for the ranking, which is cold again: ${tiers.loader} query of the database`,
  );
}
