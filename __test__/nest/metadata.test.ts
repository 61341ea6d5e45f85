import 'reflect-metadata';
import { Controller, Get, Header, Injectable, Param, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { TurboCache, TurboCacheEvict, TurboCachePut } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { startWith } from './fixture';

describe('a decorated method', () => {
  it('keeps its name, its length, its own fields and its metadata, whatever stands above or below', () => {
    const Mark = (target: object, key: string, descriptor: PropertyDescriptor): void => {
      Object.assign(descriptor.value as object, { marked: [target.constructor.name, key] });
    };

    class Users {
      @SetMetadata('above', 1)
      @TurboCache()
      @SetMetadata('between', 2)
      @TurboCacheEvict('x')
      @TurboCachePut('y')
      @SetMetadata('below', 3)
      @Mark
      async find(id: number, name: string, _page = 1): Promise<unknown> {
        return [id, name];
      }
    }
    const method = Users.prototype.find;
    expect(method.name).toBe('find');
    expect(method).toHaveLength(2);
    expect((method as { marked?: unknown }).marked).toEqual(['Users', 'find']);
    expect(['above', 'between', 'below'].map((key) => new Reflector().get(key, method))).toEqual([1, 2, 3]);
    const types = Reflect.getMetadata('design:paramtypes', Users.prototype, 'find') as unknown[];
    expect(types.slice(0, 2)).toEqual([Number, String]);
    expect(Reflect.getMetadata('design:returntype', Users.prototype, 'find')).toBe(Promise);
    expect(Object.getOwnPropertyDescriptor(Users.prototype, 'find')).toMatchObject({
      enumerable: false,
      writable: true,
    });
  });

  it('keeps the route, headers and parameters that Nest reads from it', async () => {
    @Controller('users')
    class UsersController {
      @Get(':id')
      @Header('x-a', 'b')
      @TurboCache('user:#{id}')
      async find(@Param('id') id: string): Promise<string> {
        return id;
      }
    }
    const method = UsersController.prototype.find;
    expect(Reflect.getMetadata('path', method)).toBe(':id');
    expect(Reflect.getMetadata('__headers__', method)).toEqual([{ name: 'x-a', value: 'b' }]);
    expect(Object.values(Reflect.getMetadata('__routeArguments__', UsersController, 'find') as object)).toMatchObject([
      { index: 0, data: 'id' },
    ]);
  });

  it('leaves nothing on the object', async () => {
    @Injectable()
    class Users {
      readonly table = 'users';

      @TurboCache('user:#{id}')
      async find(id: number): Promise<number> {
        return id;
      }
    }
    const { app } = await startWith([Users]);
    expect(Reflect.ownKeys(app.get(Users))).toEqual(['table']);
  });

  it('gets the object it is called on, and its own symbol as a name', async () => {
    const secret = Symbol('secret');

    @Injectable()
    class Users {
      readonly table = 'users';

      @TurboCache('t:#{id}:#{method}')
      async [secret](id: number): Promise<unknown> {
        return [this.table, id];
      }
    }
    const { app } = await startWith([Users]);
    expect(await app.get(Users)[secret](1)).toEqual(['users', 1]);
  });
});
