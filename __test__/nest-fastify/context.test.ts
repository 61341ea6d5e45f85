import { FastifyAdapter } from '@nestjs/platform-fastify';
import { contextSuite } from '../nest/context-suite';

contextSuite('Fastify', (module) => module.createNestApplication(new FastifyAdapter(), { logger: false }));
