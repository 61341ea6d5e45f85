import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { TurboCacheHealthIndicator } from 'turbocache-js/health';

/** 200 as long as the service serves: without Redis it says `degraded`, and goes on. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cache: TurboCacheHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.cache.check('cache', { maxResponseTime: '250ms', maxMemory: '128mb' })]);
  }
}
