// The ESM face of the same CommonJS modules, see nest.mjs.
import health from '../dist/nest-module/health/index.js';

export const { TurboCacheHealthIndicator } = health;
