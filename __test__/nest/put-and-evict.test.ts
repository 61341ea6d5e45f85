import { Injectable } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { TurboCache, TurboCacheEvict, TurboCacheKey, TurboCachePut } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { startWith } from './fixture';

interface User {
  id: number;
  name: string;
}

@Injectable()
class Users {
  readonly rows = new Map<number, User>([[1, { id: 1, name: 'Ada' }]]);
  calls = 0;

  @TurboCache({ key: 'user:#{id}', tags: ['users', 'letter:#{result.name.0}'] })
  async find(id: number): Promise<User | undefined> {
    this.calls += 1;
    return this.rows.get(id);
  }

  @TurboCachePut({ key: 'user:#{result.id}', tags: ['users'], unless: ({ result }) => result.name === 'nobody' })
  async save(user: User): Promise<User> {
    this.rows.set(user.id, user);
    return user;
  }

  @TurboCacheEvict('user:#{id}')
  async rename(id: number, name: string): Promise<void> {
    if (name === '') throw new Error('a name is needed');
    this.rows.set(id, { id, name });
  }

  @TurboCacheEvict({ key: 'user:#{id}', when: 'before' })
  async renameBefore(id: number): Promise<void> {
    throw new Error(`failed ${id}`);
  }

  @TurboCacheEvict({ key: 'user:#{id}', when: 'always' })
  async renameAlways(id: number): Promise<void> {
    throw new Error(`failed ${id}`);
  }

  @TurboCacheEvict({ key: ['user:#{a.id}', 'user:#{b.id}'] })
  async swap(a: User, b: User): Promise<void> {
    [a.name, b.name] = [b.name, a.name];
  }

  @TurboCacheEvict({ tags: ['letter:#{letter}'] })
  async dropLetter(letter: string): Promise<string> {
    return letter;
  }

  @TurboCacheEvict({ tags: ({ result }) => result })
  async dropTags(): Promise<string[]> {
    return ['users'];
  }

  @TurboCacheEvict({ all: true, condition: ({ args: [really] }) => really })
  async dropAll(_really: boolean): Promise<void> {}

  @TurboCacheEvict()
  @TurboCacheKey('user:#{id}')
  async touch(id: number): Promise<number> {
    return id;
  }
}

async function started(): Promise<{ users: Users; manager: CacheManager }> {
  const { app } = await startWith([Users]);
  const users = app.get(Users);
  await users.find(1);
  return { users, manager: app.get(CacheManager) };
}

describe('@TurboCachePut', () => {
  it('always runs the method and stores its result under a key made of it', async () => {
    const { users, manager } = await started();
    expect(await users.save({ id: 1, name: 'Grace' })).toEqual({ id: 1, name: 'Grace' });
    expect(await users.find(1)).toEqual({ id: 1, name: 'Grace' });
    expect(users.calls).toBe(1);
    expect((await manager.getEntry('user:1'))!.tags).toEqual(['users']);
  });

  it('stores nothing that `unless` refuses', async () => {
    const { users, manager } = await started();
    await users.save({ id: 2, name: 'nobody' });
    expect(await manager.has('user:2')).toBe(false);
  });
});

describe('@TurboCacheEvict', () => {
  it('has removed the entry when the method resolves', async () => {
    const { users } = await started();
    await users.rename(1, 'Grace');
    expect(await users.find(1)).toEqual({ id: 1, name: 'Grace' });
  });

  it('removes nothing when the method fails', async () => {
    const { users, manager } = await started();
    await expect(users.rename(1, '')).rejects.toThrow('a name is needed');
    expect(await manager.has('user:1')).toBe(true);
  });

  it.each(['renameBefore', 'renameAlways'] as const)(
    '%s: removes it although the method fails, if asked to',
    async (name) => {
      const { users, manager } = await started();
      await expect(users[name](1)).rejects.toThrow('failed');
      expect(await manager.has('user:1')).toBe(false);
    },
  );

  it('removes several keys', async () => {
    const { users, manager } = await started();
    await manager.set('user:2', 1);
    await users.swap({ id: 1, name: 'a' }, { id: 2, name: 'b' });
    expect(await manager.getMany(['user:1', 'user:2'])).toEqual([undefined, undefined]);
  });

  it('removes by tags, from a template and from the result', async () => {
    const { users, manager } = await started();
    await users.dropLetter('B');
    expect(await manager.has('user:1')).toBe(true);
    await users.dropLetter('A');
    expect(await manager.has('user:1')).toBe(false);
    await users.find(1);
    await users.dropTags();
    expect(await manager.has('user:1')).toBe(false);
  });

  it('removes everything, if `condition` holds', async () => {
    const { users, manager } = await started();
    await users.dropAll(false);
    expect(await manager.has('user:1')).toBe(true);
    await users.dropAll(true);
    expect(await manager.has('user:1')).toBe(false);
  });

  it('takes the key from @TurboCacheKey', async () => {
    const { users, manager } = await started();
    await users.touch(1);
    expect(await manager.has('user:1')).toBe(false);
  });

  it('above @TurboCache evicts on a hit too, below it only when the method runs', async () => {
    @Injectable()
    class Nested {
      @TurboCacheEvict('other')
      @TurboCache('above')
      async above(): Promise<number> {
        return 1;
      }

      @TurboCache('below')
      @TurboCacheEvict('other')
      async below(): Promise<number> {
        return 1;
      }
    }
    const { app } = await startWith([Nested]);
    const manager = app.get(CacheManager);
    const evicts = async (name: 'above' | 'below'): Promise<boolean> => {
      await manager.set('other', 1);
      await app.get(Nested)[name]();
      return !(await manager.has('other'));
    };
    expect([await evicts('above'), await evicts('above')]).toEqual([true, true]);
    expect([await evicts('below'), await evicts('below')]).toEqual([true, false]);
  });

  it('keeps a load that began before it from storing what it has read', async () => {
    let read!: () => void;
    let release!: () => void;
    const hasRead = new Promise<void>((resolve) => (read = resolve));
    const held = new Promise<void>((resolve) => (release = resolve));

    @Injectable()
    class Slow {
      row = 'old';

      @TurboCache('row')
      async find(): Promise<string> {
        const { row } = this;
        read();
        await held;
        return row;
      }

      @TurboCacheEvict('row')
      async change(): Promise<void> {
        this.row = 'new';
      }
    }
    const { app } = await startWith([Slow]);
    const slow = app.get(Slow);
    const before = slow.find();
    await hasRead;
    await slow.change();
    release();
    expect(await before).toBe('old');
    expect(await slow.find()).toBe('new');
  });
});
