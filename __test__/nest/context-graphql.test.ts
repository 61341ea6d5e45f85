/** The context of a GraphQL request over HTTP: one for all its resolvers. */
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Injectable, Module } from '@nestjs/common';
import { Field, GraphQLModule, Int, ObjectType, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { Test } from '@nestjs/testing';
import { CacheManager } from 'turbocache-js';
import { TurboCache, TurboCacheContextModule, TurboCacheMemo, TurboCacheModule } from 'turbocache-js/nest';
import { expect, it } from 'vitest';
import { track } from './fixture';

@Injectable()
class Prices {
  rates = 0;
  reads = 0;

  @TurboCache({ key: 'price:#{id}', varyBy: ['tenant'] })
  async of(id: number): Promise<number> {
    this.reads += 1;
    return id * (await this.rate());
  }

  @TurboCacheMemo('rate')
  async rate(): Promise<number> {
    return (this.rates += 1);
  }
}

@ObjectType()
class Product {
  @Field(() => Int)
  id!: number;
}

@Resolver(() => Product)
class Products {
  constructor(private readonly prices: Prices) {}

  @Query(() => [Product])
  async products(): Promise<Product[]> {
    await this.prices.rate();
    return [1, 2, 3].map((id) => ({ id }));
  }

  @Query(() => Int)
  async rate(): Promise<number> {
    return this.prices.rate();
  }

  @ResolveField('price', () => Int)
  async price(@Parent() { id }: Product): Promise<number> {
    return this.prices.of(id);
  }
}

const QUERY = '{ products { price } rate }';

it.each([
  ['with the middleware', { middleware: true }, {}],
  ['with interceptors for field resolvers', {}, { fieldResolverEnhancers: ['interceptors' as const] }],
])('all resolvers of a request share one context, and no other, %s', async (_, options, graphql) => {
  const values = { tenant: ({ headers }: { headers: Record<string, string> }) => headers['x-tenant'] };
  @Module({
    imports: [
      TurboCacheContextModule.forRoot({ values, ...options }),
      TurboCacheModule.forRoot(),
      GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true, ...graphql }),
    ],
    providers: [Products, Prices],
  })
  class AppModule {}

  const app = track((await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication());
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/graphql`;
  const ask = async (tenant: string): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', 'x-tenant': tenant };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: QUERY }) });
    return answer.json();
  };
  const data = (rate: number, prices: number[]): object => ({
    data: { products: prices.map((price) => ({ price })), rate },
  });

  expect(await ask('acme')).toEqual(data(1, [1, 2, 3]));
  expect(await ask('acme')).toEqual(data(2, [1, 2, 3]));
  expect(await ask('other')).toEqual(data(3, [3, 6, 9]));
  expect(app.get(Prices).reads).toBe(6);
  expect(await app.get(CacheManager).has('price:3:~("other")')).toBe(true);
});
