import type { INestApplication } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boot, Cities, entries, type Platform } from './app-under-test';

// Run by `scripts/lanes.mjs`, in a folder outside the repository, against the packed package.

describe.each<Platform>(['express', 'fastify'])('on %s', (platform) => {
  let app: INestApplication;
  let url: string;
  beforeAll(async () => {
    ({ app, url } = await boot(platform));
  });
  afterAll(() => app.close());

  const get = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();

  it('serves a decorated method from the cache', async () => {
    const { reads } = app.get(Cities);
    for (let i = 0; i < 3; i += 1) expect(await get('/1')).toEqual({ id: 1, name: 'Oslo' });
    expect(app.get(Cities).reads).toBe(reads + 1);
  });

  it('is fresh after a change', async () => {
    const body = JSON.stringify({ name: 'Kristiania' });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${url}/1`, { method: 'PUT', body, headers })).ok).toBe(true);
    expect(await get('/1')).toEqual({ id: 1, name: 'Kristiania' });
  });

  it('has warmed what it was told to', async () => {
    expect(app.get(CacheManager).peek('city:2')).toEqual({ id: 2, name: 'Rome' });
  });

  it('answers a route from the interceptor', async () => {
    expect(await get('')).toEqual({ lists: 1 });
    const again = await fetch(url);
    expect(await again.json()).toEqual({ lists: 1 });
    expect(again.headers.get('x-cache')).toBe('HIT');
  });

  it('has one CacheManager class for both module systems and all entries', () => {
    expect(app.get(CacheManager)).toBeInstanceOf(entries[0]);
    expect(entries.map((entry) => typeof entry)).toEqual(entries.map(() => 'function'));
  });
});
