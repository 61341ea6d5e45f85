import { Injectable } from '@nestjs/common';
import { defer, EMPTY, firstValueFrom, lastValueFrom, Observable, of, throwError, toArray } from 'rxjs';
import { TurboCache, TurboCacheEvict } from 'turbocache-js/nest';
import { CacheManager } from 'turbocache-js';
import { describe, expect, it } from 'vitest';
import { startWith } from './fixture';

@Injectable()
class Prices {
  calls = 0;

  @TurboCache('price:#{id}')
  find(id: number): Observable<number> {
    return defer(() => {
      this.calls += 1;
      return id < 0 ? throwError(() => new Error('negative')) : of(1, 2, id);
    });
  }

  @TurboCache({ key: 'hidden:#{id}', returns: 'observable' })
  hidden(id: number): any {
    return of(id);
  }

  @TurboCache('nothing')
  nothing(): Observable<never> {
    return EMPTY;
  }

  @TurboCacheEvict('price:#{id}')
  change(id: number): Observable<string> {
    return of(`changed ${id}`);
  }
}

describe('a decorated method that returns an Observable', () => {
  it('returns one still, which asks the cache when it is subscribed to', async () => {
    const { app } = await startWith([Prices]);
    const prices = app.get(Prices);
    const price = prices.find(7);
    expect(price).toBeInstanceOf(Observable);
    expect(prices.calls).toBe(0);
    expect(await lastValueFrom(price)).toBe(7);
    expect(await lastValueFrom(prices.find(7))).toBe(7);
    expect(prices.calls).toBe(1);
  });

  it('emits one value, the last of the original, on a miss as on a hit', async () => {
    const { app } = await startWith([Prices]);
    const values = () => lastValueFrom(app.get(Prices).find(7).pipe(toArray()));
    expect([await values(), await values()]).toEqual([[7], [7]]);
  });

  it('passes errors on, and does not cache them', async () => {
    const { app } = await startWith([Prices]);
    for (let i = 0; i < 2; i++) await expect(lastValueFrom(app.get(Prices).find(-1))).rejects.toThrow('negative');
    expect(app.get(Prices).calls).toBe(2);
  });

  it('is known by its type or by the option `returns`', async () => {
    const { app } = await startWith([Prices]);
    expect(await firstValueFrom(app.get(Prices).hidden(3))).toBe(3);
    expect(await app.get(CacheManager).get('hidden:3')).toBe(3);
  });

  it('emits undefined when the original was empty', async () => {
    const { app } = await startWith([Prices]);
    expect(await lastValueFrom(app.get(Prices).nothing())).toBeUndefined();
  });

  it('has evicted before it emits', async () => {
    const { app } = await startWith([Prices]);
    await lastValueFrom(app.get(Prices).find(7));
    expect(await firstValueFrom(app.get(Prices).change(7))).toBe('changed 7');
    expect(await app.get(CacheManager).has('price:7')).toBe(false);
  });
});
