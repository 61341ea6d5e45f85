import { Injectable } from '@nestjs/common';
import { CacheManager } from 'turbocache-js';
import { TurboCache, TurboCacheDefaults } from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { startWith } from './fixture';

interface User {
  id: number;
  name: string;
}

describe('@TurboCache', () => {
  it('runs the method on a miss and not on a hit', async () => {
    @Injectable()
    class Users {
      calls = 0;

      @TurboCache('user:#{id}')
      async find(id: number): Promise<User> {
        this.calls += 1;
        return { id, name: `user ${id}` };
      }
    }
    const { app } = await startWith([Users]);
    const users = app.get(Users);

    expect(await users.find(1)).toEqual({ id: 1, name: 'user 1' });
    expect(await users.find(1)).toEqual({ id: 1, name: 'user 1' });
    expect(await users.find(2)).toEqual({ id: 2, name: 'user 2' });
    expect(users.calls).toBe(2);
    expect(await app.get(CacheManager).get('user:1')).toEqual({ id: 1, name: 'user 1' });
  });
});
