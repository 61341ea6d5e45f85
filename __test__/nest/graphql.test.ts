/** A real Apollo Server in a Nest application, asked over HTTP. */
import { createHash } from 'node:crypto';
import { ApolloServer } from '@apollo/server';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import {
  Args,
  Context,
  Field,
  GraphQLModule,
  Info,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { Test } from '@nestjs/testing';
import { CacheManager } from 'turbocache-js';
import { TurboCacheField, TurboCacheKeyValueCache, TurboCacheLoader } from 'turbocache-js/graphql';
import { InjectCache, TurboCache, TurboCacheEvict, TurboCacheModule, TurboCachePut } from 'turbocache-js/nest';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, track } from './fixture';

const BOOKS = 100;
const AUTHORS = 10;

/** The database: what it is asked, one entry a statement. */
const statements: string[] = [];

const authorOf = (id: number): Author => ({ id, name: `Author ${id}` });
const findAuthors = async (ids: readonly number[]): Promise<(Author | Error)[]> => {
  statements.push(`authors ${ids.join(',')}`);
  return Promise.resolve(ids.map((id) => (id === 13 ? new Error('no author 13') : authorOf(id))));
};

@ObjectType()
class Author {
  @Field(() => Int)
  id!: number;
  @Field(() => String)
  name!: string;
}

@ObjectType()
class Book {
  @Field(() => Int)
  id!: number;
  @Field(() => String)
  title!: string;
  authorId!: number;
}

interface RequestContext {
  readonly req: { readonly headers: Record<string, string | undefined> };
}

@Resolver(() => Book)
class BookResolver {
  readonly authors: TurboCacheLoader<number, Author>;

  constructor(@InjectCache() cache: CacheManager) {
    this.authors = new TurboCacheLoader(cache, { key: (id: number) => `author:${id}`, load: findAuthors, ttl: '1m' });
  }

  @Query(() => [Book])
  async books(@Args('first', { type: () => Int }) first: number): Promise<Book[]> {
    statements.push(`books ${first}`);
    return Promise.resolve(
      Array.from({ length: first }, (_, id) => ({ id, title: `Book ${id}`, authorId: id % AUTHORS })),
    );
  }

  @Query(() => Book)
  @TurboCache()
  async book(@Args('id', { type: () => Int }) id: number): Promise<Book> {
    statements.push(`book ${id}`);
    return Promise.resolve({ id, title: `Book ${id}`, authorId: id === 99 ? 13 : 1 });
  }

  @Mutation(() => Book)
  @TurboCachePut({ key: 'put:#{id}' })
  @TurboCacheEvict({ key: 'shelf' })
  async rename(
    @Args('id', { type: () => Int }) id: number,
    @Args('title', { type: () => String }) title: string,
  ): Promise<Book> {
    statements.push(`rename ${id}`);
    return Promise.resolve({ id, title, authorId: 1 });
  }

  @Query(() => Book)
  @TurboCache('put:#{id}')
  async renamed(@Args('id', { type: () => Int }) id: number): Promise<Book> {
    statements.push(`renamed ${id}`);
    return Promise.resolve({ id, title: `Book ${id}`, authorId: 1 });
  }

  @Query(() => Int)
  @TurboCache('shelf')
  async shelf(): Promise<number> {
    statements.push('shelf');
    return Promise.resolve(statements.length);
  }

  /** As it is written without a loader: one statement a book. */
  @ResolveField('slowAuthor', () => Author)
  async slowAuthor(@Parent() book: Book): Promise<Author> {
    const [author] = await findAuthors([book.authorId]);
    return author as Author;
  }

  @ResolveField('author', () => Author)
  author(@Parent() book: Book, @Context() context: RequestContext): Promise<Author> {
    return this.authors.of(context).load(book.authorId);
  }

  @ResolveField('excerpt', () => String)
  @TurboCacheField({ context: (context: RequestContext) => context.req.headers['accept-language'], ttl: '1m' })
  async excerpt(
    @Parent() book: Book,
    @Context() context: RequestContext,
    @Args('length', { type: () => Int }) length: number,
    @Info() info: { fieldName: string },
  ): Promise<string> {
    statements.push(`${info.fieldName} ${book.id} ${length}`);
    const language = context.req.headers['accept-language'];
    return Promise.resolve(`${language}: ${book.title}`.slice(0, length));
  }
}

@Module({
  imports: [
    TurboCacheModule.forRoot({}),
    GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true, playground: false }),
  ],
  providers: [BookResolver],
})
class AppModule {}

interface Answer {
  readonly data: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string }[];
}

async function started(): Promise<(query: string, headers?: Record<string, string>) => Promise<Answer>> {
  const app = track((await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication());
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/graphql`;
  return async (query, headers = {}) => {
    const body = JSON.stringify({ query });
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return (await response.json()) as Answer;
  };
}

beforeEach(() => {
  statements.length = 0;
});

describe('resolvers', () => {
  it('are cached by their arguments', async () => {
    const ask = await started();
    for (let round = 0; round < 2; round++) {
      const { data } = await ask('{ one: book(id: 1) { title } two: book(id: 2) { title } }');
      expect(data).toEqual({ one: { title: 'Book 1' }, two: { title: 'Book 2' } });
    }
    expect(statements.toSorted()).toEqual(['book 1', 'book 2']);
  });

  it('of mutations put what they return, and evict what they make old', async () => {
    const ask = await started();
    const both = '{ renamed(id: 1) { title } shelf }';
    const before = await ask(both);
    expect(await ask(both)).toEqual(before);
    expect(statements.splice(0).toSorted()).toEqual(['renamed 1', 'shelf']);
    const { data } = await ask('mutation { rename(id: 1, title: "New") { title } }');
    expect(data).toEqual({ rename: { title: 'New' } });
    expect((await ask(both)).data).toMatchObject({ renamed: { title: 'New' } });
    expect(statements).toEqual(['rename 1', 'shelf']);
  });

  it('that take the context or the info need a key', () => {
    const decorate = (parameter: ParameterDecorator): unknown =>
      errorOf(() => {
        class Resolving {
          find(_: unknown): Promise<number> {
            return Promise.resolve(1);
          }
        }
        parameter(Resolving.prototype, 'find', 0);
        TurboCache()(Resolving.prototype, 'find', Object.getOwnPropertyDescriptor(Resolving.prototype, 'find'));
      });
    for (const parameter of [Context(), Info()]) {
      expect(decorate(parameter)).toMatchObject({
        code: 'E_TURBOCACHE_DECORATOR',
        option: 'key',
      });
    }
  });
});

describe('TurboCacheField', () => {
  it('is keyed by the parent, the arguments and the chosen part of the context', async () => {
    const ask = await started();
    const query = '{ books(first: 2) { excerpt(length: 9) } }';
    for (const language of ['de', 'en', 'de', 'en']) {
      const { data } = await ask(query, { 'accept-language': language });
      expect(data).toEqual({ books: [{ excerpt: `${language}: Book ` }, { excerpt: `${language}: Book ` }] });
    }
    const excerpts = statements.filter((statement) => statement.startsWith('excerpt'));
    expect(excerpts.toSorted()).toEqual(['excerpt 0 9', 'excerpt 0 9', 'excerpt 1 9', 'excerpt 1 9']);
    await ask('{ books(first: 1) { excerpt(length: 2) } }', { 'accept-language': 'de' });
    expect(statements).toContain('excerpt 0 2');
  });

  it('is refused where it cannot know its key', () => {
    const decorate = (options: object, ...parameters: ParameterDecorator[]): unknown =>
      errorOf(() => {
        class Resolving {
          find(..._: unknown[]): Promise<number> {
            return Promise.resolve(1);
          }
        }
        parameters.forEach((parameter, index) => parameter(Resolving.prototype, 'find', index));
        const descriptor = Object.getOwnPropertyDescriptor(Resolving.prototype, 'find');
        TurboCacheField(options)(Resolving.prototype, 'find', descriptor);
      });
    const code = 'E_TURBOCACHE_DECORATOR';
    expect(decorate({})).toMatchObject({ code, expected: 'a parameter with @Parent()' });
    expect(decorate({}, Parent(), Context())).toMatchObject({ code, option: 'context' });
    expect(decorate({ context: () => 1 }, Parent())).toMatchObject({ code, expected: 'a parameter with @Context()' });
    expect(decorate({ id: 'a..b' }, Parent())).toMatchObject({ code, option: 'id', got: 'a..b' });
  });
});

describe('TurboCacheLoader', () => {
  it('makes two statements of a hundred and one, and one when the cache is warm', async () => {
    const ask = await started();
    const books = (field: string): string => `{ books(first: ${BOOKS}) { id ${field} { name } } }`;
    const slow = await ask(books('slowAuthor'));
    const before = statements.splice(0).length;
    const cold = await ask(books('author'));
    const after = statements.splice(0).length;
    const warm = await ask(books('author'));
    const again = statements.splice(0).length;
    // 101 statements as it is written by hand, 2 with the loader, 1 when the authors are cached.
    expect([before, after, again]).toEqual([1 + BOOKS, 2, 1]);
    expect(JSON.stringify(slow).replaceAll('slowAuthor', 'author')).toBe(JSON.stringify(cold));
    expect(warm).toEqual(cold);
  });

  it('fails the id that has an error, and stores it nowhere', async () => {
    const ask = await started();
    for (let round = 0; round < 2; round++) {
      const { data, errors } = await ask(
        '{ good: book(id: 1) { author { name } } bad: book(id: 99) { author { name } } }',
      );
      expect(data).toBeNull();
      expect(errors?.map(({ message }) => message)).toEqual(['no author 13']);
    }
    expect(statements.filter((statement) => statement.startsWith('authors'))).toEqual(['authors 1,13', 'authors 13']);
  });

  it('has a memory of its own for each context', async () => {
    const cache = new CacheManager();
    const loads: number[][] = [];
    const load = (ids: number[]): Promise<number[]> => {
      loads.push(ids);
      return Promise.resolve(ids.map((id) => id * 2));
    };
    const loader = new TurboCacheLoader(cache, { key: (id: number) => `double:${id}`, load });
    const [one, two] = [{}, {}];
    expect(loader.of(one)).toBe(loader.of(one));
    expect(loader.of(one)).not.toBe(loader.of(two));
    expect(await loader.of(one).loadMany([1, 2, 1])).toEqual([2, 4, 2]);
    expect(await loader.of(two).loadMany([2, 3])).toEqual([4, 6]);
    expect(loads).toEqual([[1, 2], [3]]);
    await cache.close();
  });

  it('loads what a closed cache cannot give, and hands on the error of the load', async () => {
    const cache = new CacheManager();
    await cache.close();
    const loader = new TurboCacheLoader(cache, { key: String, load: (ids: number[]) => Promise.resolve(ids) });
    expect(await loader.of({}).load(7)).toBe(7);
    const failing = new TurboCacheLoader(cache, { key: String, load: () => Promise.reject(new Error('no database')) });
    await expect(failing.of({}).load(7)).rejects.toThrow('no database');
  });

  it('refuses a load that is no function', () => {
    const cache = new CacheManager();
    const wrong = { key: String, load: 7 } as unknown as { key: typeof String; load: () => Promise<never[]> };
    expect(errorOf(() => new TurboCacheLoader(cache, wrong))).toMatchObject({ option: 'load' });
    return cache.close();
  });
});

describe('TurboCacheKeyValueCache', () => {
  const manager = new CacheManager({ ttl: '1h' });
  const cache = new TurboCacheKeyValueCache(manager);
  afterAll(() => manager.close());
  const ttlOf = async (key: string): Promise<number | null | undefined> => (await manager.getEntry(key))?.ttl;

  it('counts in seconds', async () => {
    await cache.set('a', 'text', { ttl: 2 });
    expect(await cache.get('a')).toBe('text');
    const ttl = await ttlOf('a');
    expect(ttl).toBeGreaterThan(1_000);
    expect(ttl).toBeLessThanOrEqual(2_000);
  });

  it('takes null for no end, and nothing for the ttl of the cache', async () => {
    await cache.set('b', 'text', { ttl: null });
    expect(await ttlOf('b')).toBeNull();
    await cache.set('c', 'text');
    const ttl = await ttlOf('c');
    expect(ttl).toBeGreaterThan(3_500_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
  });

  it('keeps nothing for no time', async () => {
    await cache.set('d', 'text');
    await cache.set('d', 'other', { ttl: 0 });
    expect(await cache.get('d')).toBeUndefined();
  });

  it('deletes, and takes keys of any length', async () => {
    const long = 'k'.repeat(5_000);
    await cache.set(long, 'text');
    expect(await cache.get(long)).toBe('text');
    expect(await cache.delete(long)).toBe(true);
    expect(await cache.get(long)).toBeUndefined();
  });

  it('refuses a ttl that is no number', async () => {
    await expect(cache.set('e', 'text', { ttl: 'soon' as unknown as number })).rejects.toMatchObject({ option: 'ttl' });
  });

  it('serves a real Apollo Server’s persisted queries', async () => {
    const server = new ApolloServer({
      typeDefs: 'type Query { one: Int }',
      resolvers: { Query: { one: () => 1 } },
      cache,
    });
    const query = '{ one }';
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const persistedQuery = { version: 1, sha256Hash };
    await server.executeOperation({ query, extensions: { persistedQuery } });
    const answer = await server.executeOperation({ extensions: { persistedQuery } });
    expect(answer.body).toMatchObject({ singleResult: { data: { one: 1 } } });
    await server.stop();
  });
});
