import { isDeepStrictEqual } from 'node:util';
import type { WorldPlace } from '../data/world-places';
import { tierCounts, tierCountsBetween, type TierCounts } from '../service/tier-counts';
import type { CacheStats } from 'turbocache-js';
import { expect } from './expect';
import type { HttpClient } from './http-client';
import { withProgressLine } from './progress-line';
import { workload, type Query, type QueryKind } from './workload';

/** What came of asking some queries, one after another. */
export interface Measured {
  /** Milliseconds, in the order of the queries. */
  times: number[];
  bodies: unknown[];
  /** Which tier answered, by the difference of the service's own counters. */
  tiers: TierCounts;
}

/** Queries of no other use, so that the first calls that count are not charged for code that has not run before. */
export async function warmUp(places: readonly WorldPlace[], clients: readonly HttpClient[]): Promise<void> {
  await askInTurn('warm-up', workload(places, 'warm-up'), clients);
}

/** One kind of query with what came of asking it, once for each client in turn. */
export interface AskedInTurn {
  kind: QueryKind;
  turns: Measured[];
}

/** Asks all queries of a kind over the first client, then all over the second, …; every answer must equal the first one. */
export async function askInTurn(
  title: string,
  kinds: readonly QueryKind[],
  clients: readonly HttpClient[],
): Promise<AskedInTurn[]> {
  const total = clients.length * kinds.reduce((sum, { queries }) => sum + queries.length, 0);
  return withProgressLine(title, async (line) => {
    const asked: AskedInTurn[] = [];
    let done = 0;
    for (const kind of kinds) {
      const turns: Measured[] = [];
      for (const client of clients) {
        turns.push(await measure(client, kind.queries, () => line.show(kind.title, ++done, total)));
      }
      expectSameBodies(kind, turns);
      asked.push({ kind, turns });
    }
    return [`${total.toLocaleString('en')}, one after another; every hit had the body of its first call`, asked];
  });
}

export async function measure(client: HttpClient, queries: readonly Query[], progress?: () => void): Promise<Measured> {
  const before = await readTiers(client);
  const times: number[] = [];
  const bodies: unknown[] = [];
  for (const { path } of queries) {
    const { time, body } = await client.get(path);
    times.push(time);
    bodies.push(body);
    progress?.();
  }
  return { times, bodies, tiers: tierCountsBetween(before, await readTiers(client)) };
}

export async function readTiers(client: HttpClient): Promise<TierCounts> {
  return tierCounts((await client.get('/cache')).body as CacheStats);
}

/** Which tiers answered how many calls, for people: `hot 100`, or `hot 98, loader 2`. */
export function tiersText(tiers: TierCounts): string {
  const answered = Object.entries(tiers).filter(([, count]) => count > 0);
  return answered.map(([tier, count]) => `${tier} ${count.toLocaleString('en')}`).join(', ') || 'none';
}

/** A hit is worth nothing when it differs from what the first call returned. */
function expectSameBodies({ title, queries }: QueryKind, [first, ...later]: readonly Measured[]): void {
  for (const { bodies } of later) {
    const different = bodies.findIndex((body, index) => !isDeepStrictEqual(body, first?.bodies[index]));
    expect(different === -1, `${title}: a hit equals the first call`, queries[different]?.path);
  }
}
