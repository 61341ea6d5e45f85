/** The handler of a module without `onError`: one warning a method, operation and code, not one a call. */
import { Logger } from '@nestjs/common';
import type { CacheFailureHandler } from './failure';

export function logFailures(): CacheFailureHandler {
  const logger = new Logger('TurboCache');
  const reported = new Set<string>();
  return (error, { operation, method }) => {
    const place = method === undefined ? operation : `${method} (${operation})`;
    const subject = `${place} ${error.code}`;
    if (reported.has(subject)) return;
    reported.add(subject);
    logger.warn(`${place}: ${error.message} [${error.code}]`);
  };
}
