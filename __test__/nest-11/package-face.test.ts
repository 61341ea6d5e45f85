import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, Param, ParseIntPipe, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectCache, TurboCache, TurboCacheModule } from 'turbocache-js/nest';
import { CacheManager, type Cache } from 'turbocache-js';

// A CommonJS application of Nest 11 with a real HTTP server, type-checked against Nest 11.

@Injectable()
class Users {
  calls = 0;

  @TurboCache({ key: 'user:#{id}', ttl: '1m' })
  async find(id: number): Promise<{ id: number }> {
    this.calls += 1;
    return { id };
  }
}

@Controller('users')
class UsersController {
  constructor(
    readonly users: Users,
    @InjectCache() readonly cache: Cache,
  ) {}

  @Get(':id')
  find(@Param('id', ParseIntPipe) id: number): Promise<{ id: number }> {
    return this.users.find(id);
  }
}

@Module({
  imports: [TurboCacheModule.forRoot({ isGlobal: true })],
  providers: [Users],
  controllers: [UsersController],
})
class App {}

let app: INestApplication;
let url: string;
beforeAll(async () => {
  app = await NestFactory.create(App, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});
afterAll(() => app.close());

it('is really Nest 11', () => {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- a CommonJS consumer is what is shown
  expect((require('@nestjs/core/package.json') as { version: string }).version).toMatch(/^11\./);
});

it('serves a decorated method from the cache', async () => {
  for (let request = 0; request < 3; request++) {
    const response = await fetch(`${url}/users/7`);
    expect(await response.json()).toEqual({ id: 7 });
  }
  expect(app.get(Users).calls).toBe(1);
  expect(await app.get(UsersController).cache.get('user:7')).toEqual({ id: 7 });
});

it('has one CacheManager class for both entry points', () => {
  expect(app.get(CacheManager)).toBeInstanceOf(CacheManager);
});
