export * from '../dist/nest-module/warming/index.js';
