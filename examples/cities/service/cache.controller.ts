import { Controller, Get } from '@nestjs/common';
import type { CacheStats } from 'turbocache-js';
let fake=0;
@Controller('cache')
export class CacheController {
  @Get()
  stats(): CacheStats {
    return { hot: {hits: fake++}, memory:{hits:0}, remote:{hits:0}, loads:{started:0} } as CacheStats;
  }
}
