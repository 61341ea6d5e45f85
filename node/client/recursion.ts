/**
 * Finds a loader that asks for the key it is loading: it would wait for itself for ever (law 6). Which loader a call comes
 * from is known through `AsyncLocalStorage`. On Node 20 that makes every `await` of the process 90 ns slower while it is
 * enabled, more than a hit costs: so it is enabled only while a loader runs (1.3 µs a load).
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** A running load, and the load from within which it was started. */
export interface LoadFrame {
  /** The key space. */
  readonly space: object;
  readonly holds: (key: string) => boolean;
  readonly parent: LoadFrame | undefined;
  /** `false` once it has settled: what its code does afterwards waits for nothing. */
  running: boolean;
}

const storage = new AsyncLocalStorage<LoadFrame>();
let running = 0;

/** Runs `body` as the loader of a key; call {@link endLoad} when it has settled. */
export function runLoad<T>(space: object, holds: (key: string) => boolean, body: (frame: LoadFrame) => T): T {
  const frame: LoadFrame = { space, holds, parent: running === 0 ? undefined : storage.getStore(), running: true };
  running++;
  return storage.run(frame, body, frame);
}

export function endLoad(frame: LoadFrame): void {
  if (!frame.running) return;
  frame.running = false;
  if (--running === 0) storage.disable();
}

/** Whether the caller runs, at any depth, on behalf of a loader of this key. */
export function isWithinLoadOf(space: object, key: string): boolean {
  if (running === 0) return false;
  for (let frame = storage.getStore(); frame !== undefined; frame = frame.parent) {
    if (frame.running && frame.space === space && frame.holds(key)) return true;
  }
  return false;
}
