/** A small application as a user writes it. Each lane compiles it with its own Nest, and serves it. */
import 'reflect-metadata';
import {
  Body,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Module,
  Param,
  ParseIntPipe,
  Put,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { CacheManager } from 'turbocache-js';
import { TurboCacheEvents } from 'turbocache-js/events';
import { TurboCacheField } from 'turbocache-js/graphql';
import { TurboCacheHealthIndicator } from 'turbocache-js/health';
import { InjectCache, TurboCache, TurboCacheEvict, TurboCacheInterceptor, TurboCacheModule } from 'turbocache-js/nest';
import { TurboCacheTransactions } from 'turbocache-js/transactions';
import { TurboCacheWarm, TurboCacheWarming, TurboCacheWarmingModule } from 'turbocache-js/warming';

/** Every entry of the package is there, without the packages that only some of its features need. */
export const entries = [
  CacheManager,
  TurboCacheEvents,
  TurboCacheField,
  TurboCacheHealthIndicator,
  TurboCacheTransactions,
  TurboCacheWarming,
];

export interface City {
  id: number;
  name: string;
}

@Injectable()
export class Cities {
  reads = 0;
  readonly #names = new Map([
    [1, 'Oslo'],
    [2, 'Rome'],
  ]);

  @TurboCacheWarm({ args: [[2]], blocking: true })
  @TurboCache({ key: 'city:#{id}', ttl: '1m' })
  async find(id: number): Promise<City> {
    this.reads += 1;
    return { id, name: this.#names.get(id) ?? 'nowhere' };
  }

  @TurboCacheEvict('city:#{id}')
  async rename(id: number, name: string): Promise<void> {
    this.#names.set(id, name);
  }
}

@Controller('cities')
class CitiesController {
  lists = 0;

  // By their types alone: `emitDecoratorMetadata`, across both module systems.
  constructor(
    readonly cities: Cities,
    readonly manager: CacheManager,
    @InjectCache('lists') readonly cache: CacheManager,
  ) {}

  @Get()
  @UseInterceptors(TurboCacheInterceptor)
  list(): { lists: number } {
    this.lists += 1;
    return { lists: this.lists };
  }

  @Get(':id')
  find(@Param('id', ParseIntPipe) id: number): Promise<City> {
    return this.cities.find(id);
  }

  @Put(':id')
  async rename(@Param('id', ParseIntPipe) id: number, @Body() { name }: { name: string }): Promise<void> {
    await this.cities.rename(id, name);
  }
}

@Module({
  imports: [
    TurboCacheModule.forRoot({ isGlobal: true }),
    TurboCacheModule.forFeature(['lists']),
    TurboCacheWarmingModule.forRoot({ onProgress: () => {} }),
  ],
  providers: [Cities],
  controllers: [CitiesController],
})
class AppModule {}

export type Platform = 'express' | 'fastify';

export async function boot(platform: Platform): Promise<{ app: INestApplication; url: string }> {
  const options = { logger: ['error' as const], abortOnError: false };
  const app =
    platform === 'express'
      ? await NestFactory.create(AppModule, options)
      : await NestFactory.create(AppModule, new FastifyAdapter() as never, options);
  await app.listen(0, '127.0.0.1');
  return { app, url: `${await app.getUrl()}/cities` };
}

/** `node app.js serve`: one request to each platform, then the process must end by itself. */
if (process.argv[2] === 'serve') void serve();

async function serve(): Promise<void> {
  for (const platform of ['express', 'fastify'] as const) {
    const { app, url } = await boot(platform);
    const city = (await (await fetch(`${url}/1`)).json()) as City;
    await app.close();
    process.stdout.write(`${platform} ${city.name}\n`);
  }
}
