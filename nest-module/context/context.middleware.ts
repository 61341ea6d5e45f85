/** Opens the context of an HTTP request before its guards. */
import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import { contextOfRequest } from './carrier';
import { type ContextSource, runIn } from './context';
import { CONTEXT_SOURCES } from './context.tokens';

@Injectable()
export class TurboCacheContextMiddleware implements NestMiddleware {
  constructor(@Inject(CONTEXT_SOURCES) private readonly sources: Readonly<Record<string, ContextSource>>) {}

  use(request: object, _response: unknown, next: () => void): void {
    runIn(contextOfRequest(request, this.sources), next);
  }
}
