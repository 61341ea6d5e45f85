import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { boundedText } from '../bounded-text';
import type { PlaceChanges } from './place';

/** Lets through what is a change of a place, and nothing else. */
@Injectable()
export class PlaceChangesPipe implements PipeTransform<unknown, PlaceChanges> {
  transform(body: unknown): PlaceChanges {
    if (typeof body !== 'object' || body === null)
      throw new BadRequestException('body: expected an object with name or population');
    const { name, population, ...unknown } = body as Record<string, unknown>;
    const [unknownField] = Object.keys(unknown);
    if (unknownField !== undefined)
      throw new BadRequestException(`${unknownField}: only name and population can be changed`);

    const changes: PlaceChanges = {};
    if (name !== undefined) changes.name = boundedText('name', name, 200);
    if (population !== undefined) changes.population = populationOf(population);
    if (Object.keys(changes).length === 0) throw new BadRequestException('body: expected name or population');
    return changes;
  }
}

function populationOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 2_000_000_000) {
    throw new BadRequestException('population: expected a whole number from 0 to 2000000000');
  }
  return value;
}
