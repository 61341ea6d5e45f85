import { FastifyAdapter } from '@nestjs/platform-fastify';
import { interceptorSuite } from '../nest/interceptor-suite';

interceptorSuite('Fastify', (module) => {
  const adapter = new FastifyAdapter();
  // As the plugin for templates does it.
  adapter
    .getInstance()
    .decorateReply('view', function (this: { send(body: string): unknown }, _name: string, { call }: { call: number }) {
      return this.send(`call ${call}`);
    });
  return module.createNestApplication(adapter, { logger: false });
});
