// The ESM face of the same CommonJS modules, see nest.mjs.
import graphql from '../dist/nest-module/graphql/index.js';

export const { TurboCacheField, TurboCacheKeyValueCache, TurboCacheLoader } = graphql;
