/** Opens the context of a request around its handler and the interceptors inside: behind the guards, on every platform. */
import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import { contextOfExecution } from './carrier';
import { type ContextSource, currentContext, runIn } from './context';
import { CONTEXT_SOURCES } from './context.tokens';

@Injectable()
export class TurboCacheContextInterceptor implements NestInterceptor {
  constructor(@Inject(CONTEXT_SOURCES) private readonly sources: Readonly<Record<string, ContextSource>>) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const context = contextOfExecution(execution, this.sources);
    if (currentContext() === context) return next.handle();
    return new Observable((subscriber) => runIn(context, () => next.handle().subscribe(subscriber)));
  }
}
