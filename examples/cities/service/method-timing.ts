import type { INestApplicationContext } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { median } from '../demo/percentiles';
import type { MethodCall } from '../demo/workload';
import { CountriesService } from './countries/countries.service';
import { PlacesService } from './places/places.service';
import { tierCounts, tierCountsBetween, type TierCounts } from './tier-counts';

/** What calls of the service's methods cost in the service process, without HTTP. Times are milliseconds, medians. */
export interface MethodTiming {
  firstCall: { time: number; tiers: TierCounts };
  hit: { time: number; tiers: TierCounts };
}

/** Hits are so short that only many of them can be timed: each round calls everything once. */
const HIT_ROUNDS = 100;

/** Calls the decorated methods of the running service as any other provider would. */
export async function timeMethods(
  service: INestApplicationContext,
  calls: readonly MethodCall[],
): Promise<MethodTiming> {
  const invoke = invoker(service);
  const cache = service.get(CacheManager, { strict: false });
  const counts = (): TierCounts => tierCounts(cache.stats());

  const beforeFirst = counts();
  const firstTimes: number[] = [];
  for (const call of calls) {
    const start = performance.now();
    await invoke(call);
    firstTimes.push(performance.now() - start);
  }

  const beforeHits = counts();
  const hitTimes: number[] = [];
  for (let round = 0; round < HIT_ROUNDS; round++) {
    const start = performance.now();
    for (const call of calls) await invoke(call);
    hitTimes.push((performance.now() - start) / calls.length);
  }
  const end = counts();

  return {
    firstCall: { time: median(firstTimes), tiers: tierCountsBetween(beforeFirst, beforeHits) },
    hit: { time: median(hitTimes), tiers: tierCountsBetween(beforeHits, end) },
  };
}

function invoker(service: INestApplicationContext): (call: MethodCall) => Promise<unknown> {
  const places = service.get(PlacesService);
  const countries = service.get(CountriesService);
  return (call) => {
    switch (call.method) {
      case 'places.byId':
        return places.byId(...call.args);
      case 'places.nearest':
        return places.nearest(...call.args);
      case 'places.search':
        return places.search(...call.args);
      case 'countries.statistics':
        return countries.statistics(...call.args);
      case 'countries.ranking':
        return countries.ranking(...call.args);
    }
  };
}
