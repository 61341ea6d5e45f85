import type { NestExpressApplication } from '@nestjs/platform-express';
import { interceptorSuite } from './interceptor-suite';

/** Takes the place of Express's own, which would read a file. */
class View {
  readonly path = 'none';

  render({ call }: { call: number }, done: (error: null, text: string) => void): void {
    done(null, `call ${call}`);
  }
}

interceptorSuite('Express', (module) => {
  const app = module.createNestApplication<NestExpressApplication>({ logger: false });
  app.set('view', View);
  return app;
});
