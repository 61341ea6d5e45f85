/** Keeps the most asked entries of one method fresh, in one application. */
import type { Cache } from '../client';
import { AccessHistory } from './access-history';
import { HotKeys, type SeenCall } from './hot-keys';
import type { DeclaredRefresh } from './refresh-ahead';

/** Sampled calls that wait to be counted; what comes above that is not counted. */
const MOST_WAITING = 1_024;
/** Everything asked is counted among ten times the keys that are kept fresh. */
const ROOM = 10;
const HOUR = 3_600_000;

export interface RefresherParts {
  readonly declared: DeclaredRefresh;
  readonly name: string;
  readonly now: () => number;
  /** Where the history survives a restart. */
  readonly store: Cache | undefined;
  /** Makes the calls, with the limits of the module. */
  readonly run: (
    trigger: 'hottest' | 'predicted',
    calls: readonly SeenCall[],
    ahead: number | null,
  ) => Promise<unknown>;
}

export class Refresher {
  readonly #hot: HotKeys;
  readonly #history: AccessHistory;
  readonly #waiting: SeenCall[] = [];
  #predictedHour: number | undefined;
  #savedHour: number;

  constructor(private readonly parts: RefresherParts) {
    const { keys } = parts.declared;
    this.#hot = new HotKeys(keys * ROOM);
    this.#history = new AccessHistory(keys * ROOM);
    this.#savedHour = this.#hourOf(parts.now());
  }

  /** On the path of a call: nothing but this. */
  readonly see = (call: SeenCall): void => {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(call);
  };

  async restore(): Promise<void> {
    if (this.parts.declared.predict !== undefined) this.#history.restore(await this.parts.store?.get(this.#key));
  }

  /** Counts, then renews the hottest, then loads what the next hour will bring. */
  async look(instance: object): Promise<void> {
    this.#count();
    const { declared, run } = this.parts;
    const hottest = this.#hot.hottest(declared.keys);
    this.#hot.age();
    if (hottest.length > 0) await run('hottest', hottest, declared.ahead);
    await this.#predict(instance);
    if (this.#hourOf(this.parts.now()) !== this.#savedHour) await this.save();
  }

  async save(): Promise<void> {
    if (this.parts.declared.predict === undefined) return;
    this.#count();
    this.#savedHour = this.#hourOf(this.parts.now());
    await this.parts.store?.set(this.#key, this.#history.toJSON(), { ttl: null });
  }

  get #key(): string {
    return `~turbocache:history:${this.parts.name}`;
  }

  #count(): void {
    const { declared, now } = this.parts;
    const at = now();
    for (const call of this.#waiting.splice(0)) {
      this.#hot.see(call);
      if (declared.predict !== undefined) this.#history.record(call.args, at, declared.sample);
    }
  }

  /** Once for each hour, when it is near enough. */
  async #predict(instance: object): Promise<void> {
    const { declared, now, run } = this.parts;
    if (declared.predict === undefined) return;
    const soon = now() + declared.predict.lead;
    const hour = this.#hourOf(soon);
    if (hour === this.#predictedHour) return;
    this.#predictedHour = hour;
    const likely = this.#history.likely(soon, declared.keys, declared.predict.minimum);
    if (likely.length === 0) return;
    await run(
      'predicted',
      likely.map((args) => ({ instance, args })),
      declared.ahead,
    );
  }

  #hourOf(at: number): number {
    return Math.floor(at / HOUR);
  }
}
