import { BadRequestException, Controller, Get, NotFoundException, Param, Query } from '@nestjs/common';
import { BoundedNumberPipe } from '../bounded-number.pipe';
import { CountriesService } from './countries.service';
import type { CountryRank, CountryStatistics } from './country';

/** Smallest population of the places that count. */
const MINIMUM = new BoundedNumberPipe({ min: 0, max: 2_000_000_000, whole: true, absent: 0 });

@Controller('countries')
export class CountriesController {
  constructor(private readonly countries: CountriesService) {}

  @Get()
  ranking(@Query('minimum', MINIMUM) minimum: number): Promise<CountryRank[]> {
    return this.countries.ranking(minimum);
  }

  @Get(':code')
  async statistics(@Param('code') code: string): Promise<CountryStatistics> {
    if (!/^[A-Za-z]{2}$/.test(code))
      throw new BadRequestException('code: expected a country code of two letters, such as FR');
    const statistics = await this.countries.statistics(code.toUpperCase());
    if (statistics === null) throw new NotFoundException(`country ${code}: not found`);
    return statistics;
  }
}
