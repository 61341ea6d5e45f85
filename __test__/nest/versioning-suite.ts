/** One URL, several handlers that a version tells apart: none answers for another, on whichever HTTP platform Nest stands. */
import {
  Controller,
  Get,
  type INestApplication,
  Version,
  VERSION_NEUTRAL,
  type VersioningOptions,
  VersioningType,
  UseInterceptors,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CacheManager } from 'turbocache-js';
import { TurboCacheInterceptor, TurboCacheModule, TurboCacheRoute } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { track } from './fixture';

/** Each version has a file of its own in most services, and the classes have one name. */
function placesOf(version: string | symbol): new () => object {
  @Controller({ path: 'places', version: version as string })
  @UseInterceptors(TurboCacheInterceptor)
  class Places {
    @Get()
    list(): object {
      return { places: String(version) };
    }
  }
  return Places;
}

@Controller('cities')
@UseInterceptors(TurboCacheInterceptor)
class Cities {
  @Get()
  @Version(['1', '2'])
  list(): object {
    return { cities: 'of 1 and 2' };
  }

  @Get()
  @Version('3')
  listAnew(): object {
    return { cities: 'of 3' };
  }

  @Get('keyed')
  @Version('1')
  @TurboCacheRoute({ key: 'cities' })
  keyed(): object {
    return { cities: 'by key' };
  }
}

const VERSIONING: [string, VersioningOptions, (version: string) => Record<string, string>][] = [
  ['a header', { type: VersioningType.HEADER, header: 'x-version' }, (version) => ({ 'x-version': version })],
  [
    'the media type',
    { type: VersioningType.MEDIA_TYPE, key: 'v=' },
    (version) => ({ accept: `application/json;v=${version}` }),
  ],
];

export function versioningSuite(platform: string, create: (module: TestingModule) => INestApplication): void {
  describe.each(VERSIONING)(`TurboCacheInterceptor on ${platform}, versions by %s`, (_, versioning, headersOf) => {
    const started = async () => {
      const controllers = [placesOf('1'), placesOf('2'), placesOf(VERSION_NEUTRAL), Cities];
      const module = await Test.createTestingModule({ imports: [TurboCacheModule.forRoot()], controllers }).compile();
      const app = track(create(module).enableVersioning(versioning));
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      const ask = async (path: string, version?: string): Promise<[body: string, cache: string | null]> => {
        const response = await fetch(url + path, { headers: version === undefined ? {} : headersOf(version) });
        return [await response.text(), response.headers.get('x-cache')];
      };
      return { app, ask };
    };

    it('does not answer one with what it stored for another, though classes and handlers have one name', async () => {
      const { ask } = await started();
      expect(await ask('/places', '1')).toEqual(['{"places":"1"}', 'MISS']);
      expect(await ask('/places', '2')).toEqual(['{"places":"2"}', 'MISS']);
      expect(await ask('/places')).toEqual(['{"places":"Symbol(VERSION_NEUTRAL)"}', 'MISS']);
      expect(await ask('/places', '1')).toEqual(['{"places":"1"}', 'HIT']);
      expect(await ask('/places', '2')).toEqual(['{"places":"2"}', 'HIT']);
      expect(await ask('/places')).toEqual(['{"places":"Symbol(VERSION_NEUTRAL)"}', 'HIT']);
    });

    it('shares the answer of a handler among the versions that it is for', async () => {
      const { ask } = await started();
      expect(await ask('/cities', '1')).toEqual(['{"cities":"of 1 and 2"}', 'MISS']);
      expect(await ask('/cities', '2')).toEqual(['{"cities":"of 1 and 2"}', 'HIT']);
      expect(await ask('/cities', '3')).toEqual(['{"cities":"of 3"}', 'MISS']);
    });

    it('names the version in the key, and nothing in one that the route makes itself', async () => {
      const { app, ask } = await started();
      await ask('/cities', '1');
      await ask('/cities/keyed', '1');
      const manager = app.get(CacheManager);
      expect(await manager.has('GET Cities.list@["1","2"] 127.0.0.1/cities?')).toBe(true);
      expect(await manager.has('GET cities')).toBe(true);
    });
  });
}
