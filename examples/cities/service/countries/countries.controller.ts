import { BadRequestException, Controller, Get, NotFoundException, Param } from '@nestjs/common';
import { CountriesService } from './countries.service';
import type { CountryRank, CountryStatistics } from './country';

@Controller('countries')
export class CountriesController {
  constructor(private readonly countries: CountriesService) {}

  @Get()
  ranking(): Promise<CountryRank[]> {
    return this.countries.ranking();
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
