import {
  BadRequestException,
  Body,
  type CanActivate,
  Controller,
  ForbiddenException,
  Get,
  Injectable,
  Post,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { TurboCacheInterceptor, TurboCacheRoute } from 'turbocache-js/nest';
import type { Place } from '../places/place';
import { tenantOf } from '../request-values';
import { type CountryCount, FavouritesService } from './favourites.service';

@Injectable()
export class HasRoom implements CanActivate {
  constructor(private readonly favourites: FavouritesService) {}

  async canActivate(): Promise<boolean> {
    if ((await this.favourites.room()) > 0) return true;
    throw new ForbiddenException('favourites: there is no room for more');
  }
}

/** The places that a tenant has chosen; who asks says so in `x-tenant`. */
@Controller('favourites')
export class FavouritesController {
  constructor(private readonly favourites: FavouritesService) {}

  @Get()
  all(): Promise<Place[]> {
    return this.favourites.all();
  }

  /** A whole response for each tenant, `private`; asked for with credentials, too, because it says who asks. */
  @Get('countries')
  @UseInterceptors(TurboCacheInterceptor)
  @TurboCacheRoute({ cache: 'pages', ttl: '10m', varyBy: { tenant: tenantOf }, tags: ['favourites'] })
  countries(): Promise<CountryCount[]> {
    return this.favourites.countries();
  }

  @Post()
  @UseGuards(HasRoom)
  async add(@Body() { places }: { places?: unknown }): Promise<{ added: number; room: number }> {
    const ids = Array.isArray(places) ? (places as unknown[]) : [];
    if (ids.length === 0 || !ids.every(Number.isInteger))
      throw new BadRequestException('places: expected a list of ids');
    const room = await this.favourites.room();
    if (ids.length > room) throw new ForbiddenException(`places: there is room for ${room} more`);
    const added = await this.favourites.add(ids as number[]);
    return { added, room: room - added };
  }
}
