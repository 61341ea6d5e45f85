import { Controller, Get } from '@nestjs/common';
import { CacheManager, type CacheStats } from 'turbocache-js';
import { InjectCache } from 'turbocache-js/nest';
import { Database } from './database';

/** What the cache says about itself. */
@Controller('cache')
export class CacheController {
  constructor(
    @InjectCache() private readonly cache: CacheManager,
    private readonly database: Database,
  ) {}

  @Get()
  stats(): CacheStats {
    return this.cache.stats();
  }

  /** How often this process has asked the database: what a cache is there to save. */
  @Get('statements')
  statements(): { statements: number } {
    return { statements: this.database.statements };
  }
}
