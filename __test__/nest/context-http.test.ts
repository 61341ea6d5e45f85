import { contextSuite } from './context-suite';

contextSuite('Express', (module) => module.createNestApplication({ logger: false }));
