import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { TurboCache } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { startWith } from './fixture';

describe('@TurboCache passes the options of freshness on', () => {
  @Injectable()
  class Rates {
    broken = false;
    calls = 0;

    @TurboCache({ key: 'rate:#{currency}', ttl: '1m', grace: '1h' })
    async rate(currency: string): Promise<string> {
      this.calls += 1;
      if (this.broken) throw new Error('the bank is closed');
      return `${currency} ${this.calls}`;
    }
  }

  it('an old value is served in its grace when the method fails, and onError is told why', async () => {
    const { app, failures } = await startWith([Rates]);
    const rates = app.get(Rates);
    await rates.rate('EUR');
    await app.get(CacheManager).expire('rate:EUR');
    rates.broken = true;
    expect(await rates.rate('EUR')).toBe('EUR 1');
    expect(rates.calls).toBe(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toMatchObject([
      { operation: 'tier', error: { cause: { cause: new Error('the bank is closed') } } },
    ]);
  });

  it('and replaced when it works again', async () => {
    const { app } = await startWith([Rates]);
    const rates = app.get(Rates);
    await rates.rate('EUR');
    await app.get(CacheManager).expire('rate:EUR');
    expect(await rates.rate('EUR')).toBe('EUR 2');
  });
});

describe('the method', () => {
  it('runs in the asynchronous context of its caller', async () => {
    const requests = new AsyncLocalStorage<string>();

    @Injectable()
    class Users {
      @TurboCache('user:#{id}')
      async find(id: number): Promise<unknown> {
        return [id, requests.getStore()];
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);
    const found = await Promise.all([1, 2].map((id) => requests.run(`request ${id}`, () => users.find(id))));
    expect(found).toEqual([
      [1, 'request 1'],
      [2, 'request 2'],
    ]);
  });
});
