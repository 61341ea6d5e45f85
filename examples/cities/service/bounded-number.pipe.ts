import { BadRequestException, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';

interface Bounds {
  min: number;
  max: number;
  /** Only whole numbers. */
  whole?: boolean;
  /** Used when the parameter is absent; without it the parameter is required. */
  absent?: number;
}

/** A number of the query string within its bounds. */
export class BoundedNumberPipe implements PipeTransform<string | undefined, number> {
  constructor(private readonly bounds: Bounds) {}

  transform(text: string | undefined, { data: name = 'parameter' }: ArgumentMetadata): number {
    const { min, max, whole = false, absent } = this.bounds;
    if (text === undefined && absent !== undefined) return absent;
    const value = typeof text === 'string' && text.trim() !== '' ? Number(text) : NaN;
    if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new BadRequestException(`${name}: expected a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
    }
    return value;
  }
}
