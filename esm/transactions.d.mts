export * from '../dist/nest-module/transactions/index.js';
