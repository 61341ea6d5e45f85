import { Controller, Get } from '@nestjs/common';
import { CacheManager, type CacheStats } from 'turbocache-js';
import { InjectCache } from 'turbocache-js/nest';

/** What the cache says about itself. */
@Controller('cache')
export class CacheController {
  constructor(@InjectCache() private readonly cache: CacheManager) {}

  @Get()
  stats(): CacheStats {
    return this.cache.stats();
  }
}
