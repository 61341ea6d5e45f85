import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runFile } from './rig/processes';

const repository = fileURLToPath(new URL('..', import.meta.url));
const INSTALLED = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'turbocache-peers-'));
  execFileSync(process.execPath, [path.join(repository, 'scripts/install-built.mjs'), folder]);
  mkdirSync(path.join(folder, 'node_modules/@nestjs'));
  INSTALLED.forEach(install);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const installed = (name: string): string => path.join(folder, 'node_modules', name);
const install = (name: string): void => symlinkSync(path.join(repository, 'node_modules', name), installed(name));

/** Runs a program in the folder; its only line is JSON. */
async function answerOf(name: string, program: string): Promise<unknown> {
  const file = path.join(folder, name);
  writeFileSync(file, program);
  const script = runFile(file);
  const answer: unknown = JSON.parse(await script.line());
  expect(await script.exit()).toMatchObject({ code: 0, stderr: '' });
  return answer;
}

const ANSWER = `({ name, code, message, details }) => ({ name, code, message, package: details?.package })`;

/** For applications that have Nest and this package, and none of the packages that single features need. */
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
  const answer = await answerOf(
    `${feature.replaceAll(' ', '-')}.mjs`,
    `${START}${program}
     console.log(JSON.stringify(await boot().then(() => 'it started', ${ANSWER})));`,
  );
  expect(answer).toMatchObject({
    name: 'ConfigurationError',
    code: 'E_TURBOCACHE_PEER',
    package: missing,
    message: expect.stringContaining(`npm install ${missing}`),
  });
});

const ENTRIES = ['nest', 'events', 'graphql', 'health', 'transactions', 'warming'];

it.each([
  ['nothing of Nest', INSTALLED],
  ...INSTALLED.map((name): [string, string[]] => [`Nest without ${name}`, [name]]),
])('a program with %s is told so by every entry that needs it, and what to install', async (_, hidden) => {
  for (const name of hidden) rmSync(installed(name));
  try {
    const answers = await answerOf(
      // Not by import(): Node 20 rejects its promise, and ends the process besides, when a CommonJS module below throws.
      'without-nest.cjs',
      `const answer = ${ANSWER};
       const ask = (name) => { try { return Object.keys(require('turbocache-js/' + name)); } catch (error) { return answer(error); } };
       console.log(JSON.stringify(${JSON.stringify(ENTRIES)}.map(ask)));`,
    );
    const told = {
      name: 'ConfigurationError',
      code: 'E_TURBOCACHE_PEER',
      package: hidden[0],
      message: expect.stringContaining('npm install @nestjs/common @nestjs/core rxjs reflect-metadata'),
    };
    expect(answers).toEqual(ENTRIES.map(() => told));
  } finally {
    hidden.forEach(install);
  }
});

it('a program without an application of Nest needs no more than these four for its decorators', async () => {
  const answer = await answerOf(
    'plain.mjs',
    `import { CacheManager } from 'turbocache-js';
     import { bindCache, TurboCache } from 'turbocache-js/nest';
     class Users {
       calls = 0;
       async find(id) { return { id, call: (this.calls += 1) }; }
     }
     const method = Object.getOwnPropertyDescriptor(Users.prototype, 'find');
     TurboCache('user:#{id}')(Users.prototype, 'find', method);
     Object.defineProperty(Users.prototype, 'find', method);
     const manager = new CacheManager();
     const users = bindCache(new Users(), manager);
     console.log(JSON.stringify([await users.find(1), await users.find(1), await users.find(2)]));
     await manager.close();`,
  );
  expect(answer).toEqual([
    { id: 1, call: 1 },
    { id: 1, call: 1 },
    { id: 2, call: 2 },
  ]);
});
