/** A Nest application around a few providers, closed behind each test. */
import 'reflect-metadata';
import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { TurboCacheError } from 'turbocache-js';
import {
  type CacheFailure,
  TurboCacheModule,
  type TurboCacheModuleExtras,
  type TurboCacheModuleOptions,
} from 'turbocache-js/nest';
import { afterEach } from 'vitest';

const open: INestApplicationContext[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

/** Closes an application in the middle of a test. */
export async function stop(app: INestApplicationContext): Promise<void> {
  open.splice(open.indexOf(app), 1);
  await app.close();
}

/** Closed behind the test. */
export function track<T extends INestApplicationContext>(app: T): T {
  open.push(app);
  return app;
}

export async function start(metadata: ModuleMetadata): Promise<TestingModule> {
  return track(await (await Test.createTestingModule(metadata).compile()).init());
}

export interface Reported extends CacheFailure {
  readonly error: TurboCacheError;
}

export interface Started {
  readonly app: TestingModule;
  /** Everything `onError` was told. */
  readonly failures: Reported[];
}

/** An application with a manager in memory, the default one unless it has a name, and `providers`. */
export async function startWith(
  providers: NonNullable<ModuleMetadata['providers']>,
  options: TurboCacheModuleOptions & TurboCacheModuleExtras = {},
): Promise<Started> {
  const failures: Reported[] = [];
  const onError = (error: TurboCacheError, failure: CacheFailure): void => {
    failures.push({ error, ...failure });
  };
  const imports = [TurboCacheModule.forRoot({ onError, ...options })];
  return { app: await start({ imports, providers }), failures };
}

/** The error that `body` throws at once. */
export function errorOf(body: () => unknown): TurboCacheError {
  try {
    body();
  } catch (error) {
    return error as TurboCacheError;
  }
  throw new Error('nothing was thrown');
}
