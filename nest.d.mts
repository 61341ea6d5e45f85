export * from './dist/nest-module/index.js';
