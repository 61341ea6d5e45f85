/**
 * The first import of every entry of this folder: Nest and what it needs are optional peers, because `turbocache-js` itself does
 * without them. Who imports an entry and lacks one of them is told which, before Node says it in words of its own.
 */
import { loadPeer, type Peer } from './load-peer';

/* eslint-disable @typescript-eslint/no-require-imports, @typescript-eslint/no-unsafe-return -- inside a function that catches; with names in full, bundlers find them */
const PACKAGES: Readonly<Record<string, () => unknown>> = {
  '@nestjs/common': () => require('@nestjs/common'),
  '@nestjs/core': () => require('@nestjs/core'),
  rxjs: () => require('rxjs'),
  'reflect-metadata': () => require('reflect-metadata'),
};
/* eslint-enable @typescript-eslint/no-require-imports, @typescript-eslint/no-unsafe-return */

const needed: Omit<Peer, 'name'> = {
  feature: 'The NestJS side of turbocache-js, its decorators included,',
  install: Object.keys(PACKAGES).join(' '),
};

for (const [name, load] of Object.entries(PACKAGES)) loadPeer({ ...needed, name }, load);
