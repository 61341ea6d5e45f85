import { FastifyAdapter } from '@nestjs/platform-fastify';
import { versioningSuite } from '../nest/versioning-suite';

versioningSuite('Fastify', (module) => module.createNestApplication(new FastifyAdapter(), { logger: false }));
