import { Injectable } from '@nestjs/common';
import { TurboCache, TurboCacheContext } from 'turbocache-js/nest';
import { CountriesService } from '../countries/countries.service';

/** A country in the reader's language. */
export interface AtlasPage {
  language: string;
  name: string;
  text: string;
}

@Injectable()
export class AtlasService {
  constructor(private readonly countries: CountriesService) {}

  /** The language is part of the key without being an argument; it is that of the request, wherever in it this is called. */
  @TurboCache({ key: 'atlas:#{code}:#{context.locale}', cache: 'pages', tags: ['country:#{code}'] })
  async page(code: string): Promise<AtlasPage | null> {
    const statistics = await this.countries.statistics(code);
    if (statistics === null) return null;
    const language = TurboCacheContext.get<string>('locale') ?? 'en';
    const number = (value: number): string => value.toLocaleString(language);
    const [largest] = statistics.largest;
    return {
      language,
      name: this.nameOf(code, language),
      text: `${number(statistics.population)} · ${number(statistics.places)} · ${largest?.name}`,
    };
  }

  /**
   * Slow to make, and the same when the figures have changed. The method has its result at once, and so have its callers: it is kept in
   * the memory of this process alone.
   */
  @TurboCache({ key: 'name:#{code}:#{language}', returns: 'value' })
  private nameOf(code: string, language: string): string {
    return new Intl.DisplayNames(language, { type: 'region' }).of(code) ?? code;
  }
}
