export * from '../dist/nest-module/health/index.js';
