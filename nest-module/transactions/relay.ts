/** Looks at the journal at boot and then again and again, one look after another. */
export class Relay {
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    private readonly every: number,
    private readonly look: () => Promise<unknown>,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The first look comes as soon as `when` has resolved. */
  start(when: Promise<void>): void {
    this.#looking = when.then(() => this.#lookOnce());
  }

  /** Resolves when no look is under way, and none will come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.look();
    } catch (error) {
      this.onError(error);
    }
    if (this.#isStopped()) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#lookOnce();
    }, this.every);
    // An idle relay keeps no process alive.
    this.#timer.unref();
  }

  /** Asked anew: `stop` may have been called during the look. */
  #isStopped(): boolean {
    return this.#stopped;
  }
}
