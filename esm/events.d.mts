export * from '../dist/nest-module/events/index.js';
