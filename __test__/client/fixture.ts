/** A manager over the fake engine, closed behind each test. */
import { afterEach } from 'vitest';
import type { CacheManagerOptions, Loader, TurboCacheError } from '../../index';
import { replaceBinding } from '../../node/client/binding-source';
import { CacheManager } from '../../node/client/cache-manager';
import { FakeEngine } from './fake-binding';

const open: { manager: CacheManager; engine: FakeEngine }[] = [];

afterEach(async () => {
  for (const { manager, engine } of open.splice(0)) {
    engine.answersClose = true;
    engine.release();
    await manager.close();
  }
  replaceBinding(undefined);
});

export interface Fixture {
  manager: CacheManager;
  engine: FakeEngine;
  errors: TurboCacheError[];
  warnings: TurboCacheError[];
}

/** A manager, its engine, and its events so far. */
export function makeManager(options: CacheManagerOptions = {}): Fixture {
  const engine = new FakeEngine();
  replaceBinding(engine);
  const manager = new CacheManager(options);
  const errors: TurboCacheError[] = [];
  manager.on('error', (error) => errors.push(error));
  const warnings: TurboCacheError[] = [];
  manager.on('warning', (error) => warnings.push(error));
  open.push({ manager, engine });
  return { manager, engine, errors, warnings };
}

export interface HeldLoader<T> {
  readonly loader: Loader<T>;
  /** Resolves when the loader has been called. */
  readonly called: Promise<void>;
  calls: number;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A loader that the test lets finish. */
export function heldLoader<T>(): HeldLoader<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  let tell!: () => void;
  const result = new Promise<T>((...functions) => ([resolve, reject] = functions));
  result.catch(() => undefined);
  const called = new Promise<void>((done) => (tell = done));
  const held: HeldLoader<T> = {
    loader: () => {
      held.calls++;
      tell();
      return result;
    },
    called,
    calls: 0,
    resolve,
    reject,
  };
  return held;
}

/** Lets everything that is ready run: ticks, microtasks and the event loop's own callbacks. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
