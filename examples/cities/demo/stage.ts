interface Stoppable {
  stop(): Promise<void>;
}

/** Everything that the demo has started. It ends with the demo, last started first, however the demo ends. */
export class Stage {
  private readonly started: Promise<Stoppable>[] = [];
  private ending: Promise<void> | undefined;

  /** Takes over what is being started, so that even an interrupted start is cleaned up. */
  own<T extends Stoppable>(start: () => T | Promise<T>): Promise<T> {
    if (this.ending !== undefined) return Promise.reject(new Error('the demo is ending'));
    const starting = Promise.resolve(start());
    this.started.push(starting);
    return starting;
  }

  /** Idempotent. Stops everything, and then rejects with the first failure if there was one. */
  end(): Promise<void> {
    return (this.ending ??= this.stopAll());
  }

  private async stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const starting of this.started.reverse()) {
      const stoppable = await starting.catch(() => undefined); // what failed to start has reported that itself
      await stoppable?.stop().catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length > 0) throw failures[0];
  }
}
