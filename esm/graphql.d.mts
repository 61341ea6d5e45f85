export * from '../dist/nest-module/graphql/index.js';
