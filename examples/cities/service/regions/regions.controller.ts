import { Controller, Get, NotFoundException, Param } from '@nestjs/common';
import { from, mergeMap, type Observable } from 'rxjs';
import { PLACE_ID } from '../places/place-id.pipe';
import { PlacesService } from '../places/places.service';
import type { Region } from './region';
import { RegionsService } from './regions.service';

@Controller('places')
export class RegionsController {
  constructor(
    private readonly places: PlacesService,
    private readonly regions: RegionsService,
  ) {}

  @Get(':id/region')
  region(@Param('id', PLACE_ID) id: number): Observable<Region> {
    return from(this.places.byId(id)).pipe(
      mergeMap((place) => {
        if (place === null) throw new NotFoundException(`place ${id}: not found`);
        return this.regions.of(place);
      }),
    );
  }
}
