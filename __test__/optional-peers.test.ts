import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runFile } from './rig/processes';

// An application that has Nest and this package, and none of the packages that single features need.

const repository = fileURLToPath(new URL('..', import.meta.url));
const INSTALLED = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'turbocache-peers-'));
  execFileSync(process.execPath, [path.join(repository, 'scripts/install-built.mjs'), folder]);
  mkdirSync(path.join(folder, 'node_modules/@nestjs'));
  for (const name of INSTALLED) {
    symlinkSync(path.join(repository, 'node_modules', name), path.join(folder, 'node_modules', name));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const START = `
  import 'reflect-metadata';
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { TurboCacheModule } from 'turbocache-js/nest';
  const start = async (metadata) => {
    class App {}
    Module({ ...metadata, imports: [TurboCacheModule.forRoot(), ...(metadata.imports ?? [])] })(App);
    const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
    await app.close();
  };
`;

const FEATURES: [feature: string, missing: string, program: string][] = [
  [
    'the health indicator',
    '@nestjs/terminus',
    `import { TurboCacheHealthIndicator } from 'turbocache-js/health';
     const boot = () => start({ providers: [TurboCacheHealthIndicator] });`,
  ],
  [
    'a DataLoader',
    'dataloader',
    `import { CacheManager } from 'turbocache-js';
     import { TurboCacheLoader } from 'turbocache-js/graphql';
     const options = { key: (id) => 'author:' + id, load: async (ids) => ids };
     const boot = () => start({ providers: [{ provide: 'loader', inject: [CacheManager], useFactory: (cache) => new TurboCacheLoader(cache, options) }] });`,
  ],
  [
    'a rule for an event',
    '@nestjs/event-emitter',
    `import { TurboCacheEventsModule } from 'turbocache-js/events';
     const boot = () => start({ imports: [TurboCacheEventsModule.forRoot({ events: { 'user.updated': 'users' } })] });`,
  ],
  [
    'a warmer on cron',
    '@nestjs/schedule',
    `import { Injectable } from '@nestjs/common';
     import { TurboCacheWarm, TurboCacheWarmingModule } from 'turbocache-js/warming';
     class Cities { async find() {} }
     Injectable()(Cities);
     TurboCacheWarm({ on: '0 * * * *' })(Cities.prototype, 'find', Object.getOwnPropertyDescriptor(Cities.prototype, 'find'));
     const boot = () => start({ imports: [TurboCacheWarmingModule.forRoot()], providers: [Cities] });`,
  ],
];

it.each(FEATURES)('%s says at boot that %s is missing, and what to do', async (feature, missing, program) => {
  const file = path.join(folder, `${feature.replaceAll(' ', '-')}.mjs`);
  writeFileSync(
    file,
    `${START}${program}
     const answer = await boot().then(() => 'it started', ({ name, code, message, details }) => ({ name, code, message, package: details?.package }));
     console.log(JSON.stringify(answer));`,
  );
  const script = runFile(file);
  const answer = JSON.parse(await script.line()) as { message: string };
  expect(answer).toMatchObject({ name: 'ConfigurationError', code: 'E_TURBOCACHE_PEER', package: missing });
  expect(answer.message).toContain(`npm install ${missing}`);
  expect(await script.exit()).toMatchObject({ code: 0, stderr: '' });
});
