/** What the demo and the processes that it starts say to each other. */
import type { FillProgress } from '../database/fill';
import type { MethodTiming } from '../service/method-timing';
import type { MethodCall } from './workload';

export interface Ready {
  kind: 'ready';
  port: number;
}

export type DatabaseMessage = Ready | ({ kind: 'progress' } & FillProgress);

/** Asks a service process to time calls of its own methods, without HTTP. */
export interface TimeMethod {
  kind: 'time-method';
  calls: MethodCall[];
}

export type ServiceMessage = Ready | ({ kind: 'timed' } & MethodTiming);
