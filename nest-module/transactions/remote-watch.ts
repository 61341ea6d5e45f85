/**
 * Whether evictions have reached the remote tier. A call does not say it: a failure of the tier rejects nothing. The counters
 * of the managers do.
 */
import type { DiscoveryService } from '@nestjs/core';
import { CacheManager } from '../client';

export class RemoteWatch {
  readonly #managers: ReadonlySet<CacheManager>;

  constructor(discovery: DiscoveryService) {
    const instances = discovery.getProviders().map(({ instance }) => instance as unknown);
    this.#managers = new Set(instances.filter((instance) => instance instanceof CacheManager));
  }

  /** Resolves when every remote tier answers, or has had its time to. */
  async ready(): Promise<void> {
    await Promise.allSettled([...this.#managers].map((manager) => manager.ready()));
  }

  /** Every remote tier answers now. */
  get isUp(): boolean {
    return [...this.#managers].every((manager) => ['up', 'none'].includes(manager.stats().remote.state));
  }

  /** `true` when no remote tier failed meanwhile; a failure of somebody else's call counts too, which costs a repetition. */
  async reached(work: Promise<unknown>, errors = this.#errors()): Promise<boolean> {
    await work;
    return this.isUp && this.#errors() === errors;
  }

  #errors(): number {
    return [...this.#managers].reduce((sum, manager) => sum + manager.stats().remote.errors, 0);
  }
}
