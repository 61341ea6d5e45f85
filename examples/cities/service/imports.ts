import type { OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import type { TurboCacheEventsOptions } from 'turbocache-js/events';

/** Jobs that write places past this service say so: `PUBLISH cities:imports '{"country":"FR"}'`. */
const CHANNEL = 'cities:imports';

/** Another program's news, on a connection of its own. Without Redis there is none. */
export class Imports implements OnApplicationShutdown {
  private readonly subscriber: Redis | undefined;

  constructor(redisUrl: string | undefined) {
    this.subscriber = redisUrl === undefined ? undefined : new Redis(redisUrl);
    // Its own retries are enough; what it has to say about them is in the health of the cache, too.
    this.subscriber?.on('error', () => undefined);
  }

  /** What an import makes old: the country, its pages, the ranking, and every list of places. */
  get options(): TurboCacheEventsOptions {
    if (this.subscriber === undefined) return {};
    const tags = ['country:#{payload.country}'];
    const rules = [{ tags: ['search'] }, { cache: 'countries', tags: [...tags, 'ranking'] }, { cache: 'pages', tags }];
    return { channels: { subscriber: this.subscriber, on: { [CHANNEL]: rules }, afterGap: 'clear' } };
  }

  onApplicationShutdown(): void {
    this.subscriber?.disconnect();
  }
}
