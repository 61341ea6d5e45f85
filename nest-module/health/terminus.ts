/** The one thing that must be known about the installed `@nestjs/terminus`. */
import { loadPeer } from '../peer/load-peer';

interface Terminus {
  readonly HealthIndicatorService?: new () => { check(key: string): object };
}

/** Terminus before 12.1 silently leaves out an indicator whose status it does not know. */
export function knowsDegraded(): boolean {
  const { HealthIndicatorService } = loadPeer<Terminus>({
    name: '@nestjs/terminus',
    feature: 'TurboCacheHealthIndicator',
  });
  return HealthIndicatorService !== undefined && 'degraded' in new HealthIndicatorService().check('turbocache');
}
