import { BadRequestException, Controller, Get, NotFoundException, Param, UseInterceptors } from '@nestjs/common';
import { TurboCacheEvictOn } from 'turbocache-js/events';
import { TurboCacheInterceptor, TurboCacheRoute } from 'turbocache-js/nest';
import { PLACE_CHANGED } from '../places/place';
import { type AtlasPage, AtlasService } from './atlas.service';

/**
 * Whole responses: kept with their `ETag`, answered without calling the handler, and with 304 when the client has them already. One
 * for each language that is asked for. They go when a place of the country changes.
 */
@Controller('atlas')
@UseInterceptors(TurboCacheInterceptor)
@TurboCacheEvictOn(PLACE_CHANGED, { cache: 'pages', tags: ['country:#{payload.country}'] })
export class AtlasController {
  constructor(private readonly atlas: AtlasService) {}

  @Get(':code')
  @TurboCacheRoute({ cache: 'pages', ttl: '10m', varyBy: ['accept-language'], tags: ['country:#{params.code}'] })
  async page(@Param('code') code: string): Promise<AtlasPage> {
    if (!/^[A-Z]{2}$/.test(code)) throw new BadRequestException('code: expected a country code such as FR');
    const page = await this.atlas.page(code);
    if (page === null) throw new NotFoundException(`country ${code}: not found`);
    return page;
  }
}
