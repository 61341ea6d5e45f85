// The ESM face of the same CommonJS modules, see nest.mjs.
import events from '../dist/nest-module/events/index.js';

export const { TurboCacheEvents, TurboCacheEventsModule, TurboCacheEvictOn } = events;
