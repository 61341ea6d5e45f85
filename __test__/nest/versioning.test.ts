import { versioningSuite } from './versioning-suite';

versioningSuite('Express', (module) => module.createNestApplication({ logger: false }));
