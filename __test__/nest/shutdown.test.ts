import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CacheManager } from 'turbocache-js';
import { InjectCache, TurboCache, TurboCacheModule } from 'turbocache-js/nest';
import { expect, it } from 'vitest';

it('waits for the request that is being answered, which still has its cache', async () => {
  let arrived!: () => void;
  let release!: () => void;
  const hasArrived = new Promise<void>((resolve) => (arrived = resolve));
  const held = new Promise<void>((resolve) => (release = resolve));

  @Injectable()
  class Users {
    @TurboCache('user')
    async find(): Promise<string> {
      arrived();
      await held;
      return 'Ada';
    }
  }

  @Controller()
  class UsersController {
    constructor(
      private readonly users: Users,
      @InjectCache() private readonly cache: CacheManager,
    ) {}

    @Get()
    async find(): Promise<unknown> {
      const name = await this.users.find();
      return { name, stored: await this.cache.get('user') };
    }
  }

  @Module({ imports: [TurboCacheModule.forRoot()], providers: [Users], controllers: [UsersController] })
  class App {}

  const app = await NestFactory.create(App, { logger: false });
  await app.listen(0, '127.0.0.1');
  const response = fetch(await app.getUrl(), { headers: { connection: 'close' } });
  await hasArrived;
  const closed = app.close();
  await new Promise((resolve) => setImmediate(resolve));
  release();

  expect(await (await response).json()).toEqual({ name: 'Ada', stored: 'Ada' });
  await closed;
  await expect(app.get(CacheManager).get('user')).rejects.toMatchObject({ code: 'E_TURBOCACHE_CLOSED' });
});
