import type { WorldPlace } from '../data/world-places';
import { tierCountsBetween, type TierCounts } from '../service/tier-counts';
import { startDatabase } from './database-process';
import { expect } from './expect';
import type { HttpClient } from './http-client';
import { askInTurn, measure, readTiers, tiersText, warmUp, type Measured } from './measured-queries';
import { median } from './percentiles';
import { RedisServer } from './redis-server';
import { startService, type Service } from './service-process';
import type { Stage } from './stage';
import { duration, table, times } from './table';
import { affectedQueries, NEWCOMERS, type AffectedQuery } from './update';
import { workload } from './workload';

/** The bound within which one process must see what another one has written, in milliseconds. */
const STALENESS_BOUND = 1_000;

/** Two service processes over one Redis: what one loads is a hit in the other, what one updates is fresh in the other. */
export async function redisDemo(stage: Stage, places: readonly WorldPlace[]): Promise<void> {
  console.log('TurboCache on the places of the world, two service processes and Redis\n');
  const redis = await stage.own(() => RedisServer.start());
  console.log(`redis: ${redis.url}`);
  const databasePort = await startDatabase(stage, places.length);
  const a = await startService(stage, 'service A', databasePort, redis.url);
  const b = await startService(stage, 'service B', databasePort, redis.url);

  await warmUp(places, [a.client, a.client, b.client, b.client]);

  await shareLoads(a, b, places);
  await updateInOne(a, b, places);
}

async function shareLoads(a: Service, b: Service, places: readonly WorldPlace[]): Promise<void> {
  console.log('\n1. REST calls: each query once in A, then twice in B; times are medians');
  const rows: string[][] = [];
  for (const { kind, turns } of await askInTurn('  requests', workload(places, 'rest'), [
    a.client,
    b.client,
    b.client,
  ])) {
    const [inA, inB, again] = turns as [Measured, Measured, Measured];
    const { title, queries } = kind;
    expect(
      inB.tiers.loader === 0 && inB.tiers.remote === queries.length,
      `${title}: what A loaded is a remote hit in B`,
      inB.tiers,
    );
    expect(again.tiers.loader === 0 && again.tiers.remote === 0, `${title}: then B holds it itself`, again.tiers);
    const [slow, shared, own] = [median(inA.times), median(inB.times), median(again.times)];
    rows.push([
      title,
      `${queries.length}`,
      ...[duration(slow), tiersText(inA.tiers)],
      ...[duration(shared), times(slow, shared), tiersText(inB.tiers)],
      ...[duration(own), times(slow, own), tiersText(again.tiers)],
    ]);
  }
  const head = ['query', 'distinct', 'first in A', 'by', 'first in B', 'faster', 'by', 'again in B', 'faster', 'by'];
  console.log(table(head, rows));
}

async function updateInOne(a: Service, b: Service, places: readonly WorldPlace[]): Promise<void> {
  const [place] = places;
  expect(place !== undefined, 'there are places', places.length);
  const affected = affectedQueries(place);
  await measure(a.client, affected);
  await measure(b.client, affected);
  const cached = await measure(b.client, affected);
  expect(cached.tiers.loader === 0 && cached.tiers.remote === 0, 'B holds everything before the update', cached.tiers);

  const before = await readTiers(b.client);
  const population = place.population + NEWCOMERS;
  const { time } = await a.client.patch(`/places/${place.id}`, { population });
  const answered = performance.now();
  const rows = await readInOther(b, affected, cached.bodies, before, answered);
  console.log(
    `\n2. A: PATCH /places/${place.id} ${JSON.stringify({ population })} (${place.name}, ${duration(time)}); the next reads in B of`,
  );
  console.log(table(['answer', 'population before', 'now', '', "after A's answer", 'answered by'], rows));
}

/** The first read follows A's answer at once: nothing else is asked in between. */
async function readInOther(
  { client }: Service,
  affected: readonly AffectedQuery[],
  cached: readonly unknown[],
  counters: TierCounts,
  answered: number,
): Promise<string[][]> {
  const rows: string[][] = [];
  let before = counters;
  for (const [index, query] of affected.entries()) {
    const was = query.figure(cached[index]);
    const { reads, is, at } = await readUntilFresh(client, query, was + NEWCOMERS, answered);
    const after = await readTiers(client);
    rows.push([
      query.title,
      was.toLocaleString('en'),
      is.toLocaleString('en'),
      reads === 1 ? 'fresh at once' : `fresh on read ${reads}`,
      duration(at - answered),
      tiersText(tierCountsBetween(before, after)),
    ]);
    before = after;
  }
  return rows;
}

/** News of an update travels to the other process. Counts the reads that overtake it; more than the bound is a failure. */
async function readUntilFresh(client: HttpClient, query: AffectedQuery, expected: number, answered: number) {
  for (let reads = 1; ; reads++) {
    const { body } = await client.get(query.path);
    const [is, at] = [query.figure(body), performance.now()];
    if (is === expected) return { reads, is, at };
    const late = at - answered;
    expect(late < STALENESS_BOUND, `${query.title}: B is fresh within ${STALENESS_BOUND} ms`, { is, expected, late });
  }
}
