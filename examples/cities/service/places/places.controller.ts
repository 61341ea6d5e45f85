import { Body, Controller, Delete, Get, HttpCode, NotFoundException, Param, Patch, Query } from '@nestjs/common';
import { BoundedNumberPipe } from '../bounded-number.pipe';
import { boundedText } from '../bounded-text';
import type { NearbyPlace, Place, PlaceChanges } from './place';
import { PlaceChangesPipe } from './place-changes.pipe';
import { PLACE_ID } from './place-id.pipe';
import { PlacesService } from './places.service';

@Controller('places')
export class PlacesController {
  constructor(private readonly places: PlacesService) {}

  @Get('nearest')
  nearest(
    @Query('latitude', new BoundedNumberPipe({ min: -90, max: 90 })) latitude: number,
    @Query('longitude', new BoundedNumberPipe({ min: -180, max: 180 })) longitude: number,
    @Query('count', new BoundedNumberPipe({ min: 1, max: 50, whole: true, absent: 10 })) count: number,
  ): Promise<NearbyPlace[]> {
    return this.places.nearest(latitude, longitude, count);
  }

  @Get('search')
  search(
    @Query('prefix') prefix: unknown,
    @Query('count', new BoundedNumberPipe({ min: 1, max: 100, whole: true, absent: 20 })) count: number,
  ): Promise<Place[]> {
    return this.places.search(boundedText('prefix', prefix, 100).toLowerCase(), count);
  }

  /** For operators: names were changed past this service. */
  @Delete('search')
  @HttpCode(204)
  forgetSearches(@Query('prefix') prefix: unknown): Promise<void> {
    return this.places.forgetSearches(boundedText('prefix', prefix, 100).toLowerCase());
  }

  @Get(':id')
  async byId(@Param('id', PLACE_ID) id: number): Promise<Place> {
    const place = await this.places.byId(id);
    if (place === null) throw new NotFoundException(`place ${id}: not found`);
    return place;
  }

  @Patch(':id')
  update(@Param('id', PLACE_ID) id: number, @Body(PlaceChangesPipe) changes: PlaceChanges): Promise<Place> {
    return this.places.update(id, changes);
  }
}
