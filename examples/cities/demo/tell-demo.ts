import type { DatabaseMessage, ServiceMessage } from './messages';

/** Used by the processes that the demo starts. A demo that has gone needs no message: failing to send one is no error. */
export function tellDemo(message: DatabaseMessage | ServiceMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
