import { FastifyAdapter } from '@nestjs/platform-fastify';
import { interceptorSuite } from '../nest/interceptor-suite';

interceptorSuite('Fastify', (module) => module.createNestApplication(new FastifyAdapter(), { logger: false }));
