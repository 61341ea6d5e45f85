/** What a context promises to an application with a server, on whichever HTTP platform Nest stands. */
import {
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type INestApplication,
  Post,
  UseGuards,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CacheManager } from 'turbocache-js';
import {
  TurboCache,
  TurboCacheContext,
  TurboCacheContextModule,
  type TurboCacheContextOptions,
  TurboCacheMemo,
  TurboCacheModule,
} from 'turbocache-js/nest';
import { describe, expect, it } from 'vitest';
import { track } from './fixture';

@Injectable()
class Reports {
  calls = 0;

  @TurboCache({ key: 'report:#{id}', varyBy: ['tenant'] })
  async report(id: number): Promise<unknown> {
    await new Promise((resolve) => setImmediate(resolve));
    return { id, for: TurboCacheContext.get('tenant'), call: (this.calls += 1) };
  }

  @TurboCacheMemo('now')
  async now(): Promise<number> {
    return (this.calls += 1);
  }
}

/** As authentication does: it knows the user only now. */
@Injectable()
class Guard implements CanActivate {
  seen: boolean[] = [];

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
    request.user = { tenant: request.headers['x-tenant'] };
    this.seen.push(TurboCacheContext.isOpen);
    return true;
  }
}

@Controller()
@UseGuards(Guard)
class ReportsController {
  constructor(readonly reports: Reports) {}

  @Get('report')
  async find(): Promise<unknown> {
    const [one, other] = await Promise.all([this.reports.report(1), this.reports.report(1)]);
    return { one, other, tenant: TurboCacheContext.get('tenant') };
  }

  @Post('report')
  async write(@Body() body: object): Promise<unknown> {
    return { body, tenant: TurboCacheContext.get('tenant'), report: await this.reports.report(2) };
  }

  @Get('memo')
  async memo(): Promise<unknown> {
    return Promise.all([this.reports.now(), this.reports.now(), this.reports.now()]);
  }
}

type Create = (module: Awaited<ReturnType<ReturnType<typeof Test.createTestingModule>['compile']>>) => INestApplication;

export function contextSuite(platform: string, create: Create): void {
  const started = async (options: TurboCacheContextOptions = {}) => {
    const values = { tenant: ({ user }: { user?: { tenant?: string } }) => user?.tenant };
    const module = await Test.createTestingModule({
      imports: [TurboCacheContextModule.forRoot({ values, ...options }), TurboCacheModule.forRoot()],
      controllers: [ReportsController],
      providers: [Reports, Guard],
    }).compile();
    const app = track(create(module));
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const ask = async (path: string, tenant: string, body?: object): Promise<any> => {
      const headers = { 'x-tenant': tenant, 'content-type': 'application/json' };
      const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      return (await fetch(url + path, { headers, ...post })).json();
    };
    return { app, ask, reports: app.get(Reports), guard: app.get(Guard) };
  };

  describe(`TurboCacheContext on ${platform}`, () => {
    it('keeps tenants apart, also when they ask at the same time', async () => {
      const { app, ask, reports } = await started();
      const tenants = Array.from({ length: 20 }, (_, i) => `tenant ${i % 4}`);
      const answers = await Promise.all(tenants.map((tenant) => ask('/report', tenant)));
      for (const [i, tenant] of tenants.entries()) {
        expect(answers[i]).toMatchObject({ tenant, one: { for: tenant }, other: { for: tenant } });
      }
      expect(reports.calls).toBe(4);
      expect(await app.get(CacheManager).has('report:1:~("tenant 0")')).toBe(true);
    });

    it.each([false, true])('is open in handlers of requests with a body (middleware: %s)', async (middleware) => {
      const { ask, guard } = await started({ middleware });
      const body = { text: 'x'.repeat(100_000) };
      expect(await ask('/report', 'acme', body)).toMatchObject({ tenant: 'acme', body, report: { for: 'acme' } });
      await ask('/report', 'acme');
      expect(guard.seen.at(-1)).toBe(middleware);
    });

    it('memoises once a request', async () => {
      const { ask } = await started();
      expect([await ask('/memo', 'a'), await ask('/memo', 'a')]).toEqual([
        [1, 1, 1],
        [2, 2, 2],
      ]);
    });
  });
}
