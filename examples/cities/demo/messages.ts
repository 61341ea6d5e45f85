/** What the demo and the processes that it starts say to each other. */
import type { FillProgress } from '../database/fill';
import type { MethodTiming } from '../service/method-timing';
import type { MethodCall } from './workload';

/** To the demo. */
export type DemoMessage =
  /** The process serves on this port. */
  | { kind: 'ready'; port: number }
  /** From the database. */
  | ({ kind: 'progress' } & FillProgress)
  /** From a service, in answer to {@link TimeMethod}. */
  | ({ kind: 'timed' } & MethodTiming);

/** Asks a service process to time calls of its own methods, without HTTP. */
export interface TimeMethod {
  kind: 'time-method';
  calls: MethodCall[];
}
