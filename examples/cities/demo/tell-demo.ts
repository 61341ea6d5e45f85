import type { DemoMessage } from './messages';

/** Used by the processes that the demo starts. A demo that has gone needs no message: failing to send one is no error. */
export function tellDemo(message: DemoMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
