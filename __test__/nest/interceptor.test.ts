import { interceptorSuite } from './interceptor-suite';

interceptorSuite('Express', (module) => module.createNestApplication({ logger: false }));
