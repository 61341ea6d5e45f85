/** `TurboCacheTransactions`: evictions that wait for the commit of the transaction they were caused in. */
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { ConfigurationError, InvalidArgumentError, TurboCacheError } from '../client';
import { checkEviction, type Eviction, evict } from '../eviction/eviction';
import { currentTransaction, runInTransaction } from '../eviction/transaction';
import { evictWhenDue } from '../eviction/when-due';
import { CacheRegistry, type RegisteredCache } from '../registry/cache-registry';
import type { Execute } from './database';
import { Journal, type JournalRow } from './journal';
import { RemoteWatch } from './remote-watch';
import { Relay } from './relay';
import type { TransactionSource } from './source';
import { CHECKED_OPTIONS } from './transactions.tokens';
import type { CheckedTransactionsOptions } from './transactions-options';
import { type Noted, UnitOfWork, type UnitOwner } from './unit-of-work';

/** Since the application started. */
export interface TurboCacheTransactionCounts {
  /** Evictions made after the commit of their transaction. */
  readonly applied: number;
  /** Evictions forgotten with their transaction. */
  readonly dropped: number;
  /** Evictions that the cache refused; each was reported to the module's `onError`. */
  readonly failed: number;
  /** Rows of the journal that a process had left behind, and that were applied here. */
  readonly relayed: number;
}

@Injectable()
export class TurboCacheTransactions implements UnitOwner, OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #counts = { applied: 0, dropped: 0, failed: 0, relayed: 0 };
  readonly #running = new Set<Promise<void>>();
  #detach: (() => void)[] = [];
  #remote: RemoteWatch | undefined;
  #journal: Journal | undefined;
  #relay: Relay | undefined;

  constructor(
    @Inject(CHECKED_OPTIONS) private readonly options: CheckedTransactionsOptions,
    @Inject(CacheRegistry) private readonly registry: CacheRegistry,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
  ) {}

  /**
   * Removes entries when the transaction that this call runs in has been committed; never, when it is rolled back; at once,
   * when there is none. Inside a transaction it resolves when the eviction is noted. A failure of the cache is reported, and
   * fails nothing.
   *
   * @param eviction `{ keys, tags, patterns, all, cache }`
   * @param handle Names the transaction where the call cannot find it by itself: a `QueryRunner` or an entity manager of TypeORM,
   * an entity manager of MikroORM, the `tx` of Prisma.
   */
  async evictAfterCommit(eviction: Eviction, handle?: object): Promise<void> {
    const checked = checkEviction(eviction, { where: 'evictAfterCommit()', withPatterns: true });
    const registered = this.#find(checked.cache);
    const transaction = handle === undefined ? currentTransaction() : this.#unitOf(handle);
    try {
      // A handle without a transaction means "now", whatever runs around it.
      await evictWhenDue(registered, checked, transaction ?? NO_TRANSACTION);
    } catch (error) {
      this.#report(registered, error);
    }
  }

  /**
   * Runs `work` so that everything it calls, decorated methods above all, finds the transaction of `handle`. For transactions
   * that begin and end by hand; `dataSource.transaction()`, `em.transactional()` and `prisma.$transaction()` need no help.
   */
  within<T>(handle: object, work: () => T): T {
    const source = this.#sourceOf(handle);
    return runInTransaction(() => {
      const unit = source.unitOf(handle);
      return unit === 'none' ? undefined : unit;
    }, work);
  }

  /** Applies what dead processes have left in the journal; happens by itself, too. Gives the number of rows. */
  async relay(): Promise<number> {
    const [journal, remote] = [this.#journal, this.#remote];
    if (journal === undefined || remote?.isUp !== true) return 0;
    const rows = await journal.sweep((row) => this.#applyRow(row, remote));
    this.#counts.relayed += rows;
    return rows;
  }

  stats(): TurboCacheTransactionCounts {
    return { ...this.#counts };
  }

  async onModuleInit(): Promise<void> {
    const { sources, journal: options } = this.options;
    this.#remote = new RemoteWatch(this.discovery);
    if (options !== undefined) {
      const owner = options.owner ?? this.#find(undefined).cache.namespacePath;
      // One table, in the database of the first source.
      const journal = new Journal(sources[0]!.database, { ...options, owner }, (error) => this.#reportJournal(error));
      await journal.prepare();
      this.#journal = journal;
    }
    this.#detach = sources.map((source) => source.attach(() => new UnitOfWork(this)));
  }

  onApplicationBootstrap(): void {
    const [{ journal: options }, remote] = [this.options, this.#remote];
    if (options === undefined || remote === undefined) return;
    this.#relay = new Relay(
      options.every,
      () => this.relay(),
      (error) => this.#reportJournal(error),
    );
    this.#relay.start(remote.ready());
  }

  async onModuleDestroy(): Promise<void> {
    for (const detach of this.#detach.splice(0)) detach();
    await atMost(LAST_WAIT, this.#settled());
  }

  async #settled(): Promise<void> {
    await this.#relay?.stop();
    await Promise.all(this.#running);
    await this.#journal?.settled();
  }

  async mark(noted: readonly Noted[], execute: Execute): Promise<string | undefined> {
    if (this.#journal === undefined) return undefined;
    const evictions = noted.filter(({ registered }) => this.#isOurs(registered)).map(asData);
    return evictions.length === 0 ? undefined : this.#journal.mark(JSON.stringify(evictions), execute);
  }

  async apply(noted: readonly Noted[], row: string | undefined): Promise<void> {
    const work = this.#apply(noted, row);
    this.#running.add(work);
    await work;
    this.#running.delete(work);
  }

  dropped(count: number): void {
    this.#counts.dropped += count;
  }

  async #apply(noted: readonly Noted[], row: string | undefined): Promise<void> {
    const made = Promise.all(noted.map((each) => this.#make(each)));
    const reached = await this.#remote!.reached(made);
    const closed = (await made).includes('closed');
    // Kept, where a tier may not have heard of it: the relay tries again.
    if (row !== undefined && reached && !closed) this.#journal?.done(row);
  }

  async #applyRow(row: JournalRow, remote: RemoteWatch): Promise<boolean> {
    let evictions: readonly Eviction[];
    try {
      const parsed: unknown = JSON.parse(row.evictions);
      if (!Array.isArray(parsed)) throw new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', 'not a list');
      const where = `Row ${row.id} of the journal`;
      evictions = parsed.map((each: unknown) => checkEviction(each, { where, withPatterns: true }));
    } catch (error) {
      // It will not become better.
      this.#reportJournal(error);
      return true;
    }
    const made = Promise.all(
      evictions.map((eviction) => this.#make({ registered: this.#find(eviction.cache), eviction })),
    );
    const reached = await remote.reached(made);
    return reached && !(await made).includes('closed');
  }

  async #make({ registered, eviction }: Noted): Promise<'made' | 'failed' | 'closed'> {
    try {
      await evict(registered, eviction);
      this.#counts.applied += 1;
      return 'made';
    } catch (error) {
      this.#report(registered, error);
      return error instanceof TurboCacheError && error.code === 'E_TURBOCACHE_CLOSED' ? 'closed' : 'failed';
    }
  }

  /** Another process finds the cache by its name; one that is bound by hand has none. */
  #isOurs({ name, cache }: RegisteredCache): boolean {
    return this.registry.find(name)?.cache === cache;
  }

  #find(name: string | undefined): RegisteredCache {
    const registered = this.registry.find(name);
    if (registered !== undefined) return registered;
    const wanted = name === undefined ? 'the default manager' : `the cache "${name}"`;
    const expected = 'TurboCacheModule.forRoot() without a name, or the `cache` of a manager that there is';
    throw new ConfigurationError(
      'E_TURBOCACHE_OPTION',
      `TurboCacheTransactions: ${wanted} is not in this application; expected ${expected}.`,
      { option: 'cache', got: name, expected },
    );
  }

  #unitOf(handle: object): UnitOfWork | undefined {
    const unit = this.#sourceOf(handle).unitOf(handle);
    return unit === 'none' ? undefined : unit;
  }

  #sourceOf(handle: object): TransactionSource {
    const source = this.options.sources.find((each) => each.unitOf(handle) !== undefined);
    if (source !== undefined) return source;
    const expected = 'a query runner, an entity manager or a transaction client of the configured source';
    throw new InvalidArgumentError(
      'E_TURBOCACHE_ARGUMENT',
      `TurboCacheTransactions: the handle is of no source (${this.options.sources.map(({ name }) => name).join(', ')}); expected ${expected}.`,
      { option: 'handle', expected },
    );
  }

  #report(registered: RegisteredCache, error: unknown): void {
    this.#counts.failed += 1;
    CacheRegistry.report(registered, error, { operation: 'evict', method: 'after the commit' });
  }

  #reportJournal(error: unknown): void {
    const registered = this.registry.main();
    if (registered !== undefined) {
      CacheRegistry.report(registered, asJournalError(error), { operation: 'evict', method: 'journal' });
    }
  }
}

/** An application ends although its database does not answer: what is left in the journal is for the next one. */
const LAST_WAIT = 5_000;

async function atMost(limit: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limit)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}

const NO_TRANSACTION = { isOpen: false, note: () => false };

function asData({ registered, eviction }: Noted): Eviction {
  const { cache: _cache, ...what } = eviction;
  return registered.name === undefined ? what : { cache: registered.name, ...what };
}

function asJournalError(error: unknown): TurboCacheError {
  if (error instanceof TurboCacheError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new TurboCacheError('E_TURBOCACHE_REMOTE', `The journal of evictions failed: ${text}`, { cause: error });
}
