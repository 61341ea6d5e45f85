/**
 * One transaction, or one savepoint in it: collects evictions, and decides once what becomes of them. The endings:
 *
 * - committed: a savepoint hands them to its transaction, a transaction applies them;
 * - rolled back: forgotten;
 * - unresolved: it failed, or the connection was lost. Before the commit was sent that is a rollback; after it nobody knows, and
 *   they are applied: too fresh is safe, too old is not.
 */
import type { Eviction } from '../eviction/eviction';
import type { OpenTransaction } from '../eviction/transaction';
import type { RegisteredCache } from '../registry/cache-registry';
import type { Execute } from './database';

export interface Noted {
  readonly registered: RegisteredCache;
  readonly eviction: Eviction;
}

/** Who writes evictions down, and makes them. */
export interface UnitOwner {
  /** In the transaction, before its commit: a row that is there if and only if the commit succeeds. Gives its id. */
  mark(noted: readonly Noted[], execute: Execute): Promise<string | undefined>;
  /** Makes the evictions; the row is not needed any more. Never rejects: the commit cannot be taken back. */
  apply(noted: readonly Noted[], row: string | undefined): Promise<void>;
  /** So many were forgotten. */
  dropped(count: number): void;
}

export class UnitOfWork implements OpenTransaction {
  #state: 'open' | 'committing' | 'ended' = 'open';
  #noted: Noted[] = [];
  #row: string | undefined;

  constructor(
    private readonly owner: UnitOwner,
    readonly parent?: UnitOfWork,
  ) {}

  get isOpen(): boolean {
    return this.#state !== 'ended' || this.parent?.isOpen === true;
  }

  /** The commit was sent, and nobody has said yet how it ended. */
  get isCommitting(): boolean {
    return this.#state === 'committing';
  }

  note(registered: RegisteredCache, eviction: Eviction): boolean {
    // Who outlives a savepoint is still in its transaction.
    if (this.#state === 'ended') return this.parent?.note(registered, eviction) ?? false;
    this.#noted.push({ registered, eviction });
    return true;
  }

  /** A savepoint. */
  nested(): UnitOfWork {
    return new UnitOfWork(this.owner, this);
  }

  /** The commit is about to be sent; what was noted is written down. A failure here must fail the commit. */
  async committing(execute: Execute): Promise<void> {
    if (this.#state !== 'open') return;
    if (this.parent === undefined && this.#noted.length > 0) this.#row = await this.owner.mark(this.#noted, execute);
    this.#state = 'committing';
  }

  async committed(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const noted = this.#take();
    if (noted.length === 0) return;
    if (this.parent === undefined) await this.owner.apply(noted, this.#row);
    else for (const { registered, eviction } of noted) this.parent.note(registered, eviction);
  }

  rolledBack(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.owner.dropped(this.#take().length);
  }

  /** Nobody said how it ended, and nobody will. */
  async unresolved(): Promise<void> {
    if (this.#state === 'committing') await this.committed();
    else this.rolledBack();
  }

  #take(): Noted[] {
    const noted = this.#noted;
    this.#noted = [];
    return noted;
  }
}
