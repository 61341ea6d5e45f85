/**
 * Prisma 5 to 7: it has no events for transactions, so `$transaction` of the given client is wrapped, in place, for the client
 * itself and for clients that `$extends` makes of it afterwards. `$transaction([...])` runs nothing between its statements;
 * it is left as it is.
 */
import { ConfigurationError } from '../client';
import { runInTransaction } from '../eviction/transaction';
import type { Database, Execute } from './database';
import { hasMethods, type TransactionSource } from './source';
import type { UnitOfWork } from './unit-of-work';

/** The part of a `PrismaClient` that is used. */
export interface PrismaClientLike {
  $transaction: (...args: never[]) => Promise<unknown>;
  $queryRawUnsafe: (sql: string, ...parameters: never[]) => Promise<unknown>;
}

type Transaction = (this: unknown, work: unknown, options?: unknown) => Promise<unknown>;
type InTransaction = (client: object) => Promise<unknown>;

/** Interactive transactions of a client: `prisma.$transaction(async (tx) => …)`. */
export function prismaTransactions(client: PrismaClientLike): TransactionSource {
  const name = 'prismaTransactions()';
  if (typeof (client as PrismaClientLike | undefined)?.$transaction !== 'function') {
    const expected = 'a PrismaClient';
    throw new ConfigurationError(
      'E_TURBOCACHE_OPTION',
      `${name}: its argument is ${typeof client}; expected ${expected}.`,
      {
        option: 'client',
        expected,
      },
    );
  }
  return new PrismaTransactions(name, client);
}

class PrismaTransactions implements TransactionSource {
  readonly #units = new WeakMap<object, UnitOfWork>();
  readonly #transaction: Transaction;

  constructor(
    readonly name: string,
    private readonly client: PrismaClientLike,
  ) {
    this.#transaction = client.$transaction as Transaction;
  }

  get database(): Database {
    const { client } = this;
    const { _activeProvider: provider } = client as { _activeProvider?: unknown };
    return {
      dialect: typeof provider === 'string' ? provider : 'unknown',
      execute: executeOn(client),
      transaction: <T>(work: (execute: Execute) => Promise<T>) =>
        this.#transaction.call(client, (tx: object) => work(executeOn(tx as PrismaClientLike))) as Promise<T>,
    };
  }

  attach(begin: () => UnitOfWork): () => void {
    const original = this.#transaction;
    const run = (self: unknown, work: InTransaction, options: unknown): Promise<unknown> => {
      // `tx.$transaction()` is a savepoint.
      const unit = this.#units.get(self as object)?.nested() ?? begin();
      return this.#run(unit, work, (wrapped) => original.call(self, wrapped, options));
    };
    const wrapped: Transaction = function (work, options) {
      if (typeof work !== 'function') return original.call(this, work, options);
      return run(this, work as InTransaction, options);
    };
    const { client } = this;
    client.$transaction = wrapped;
    return () => {
      client.$transaction = original;
    };
  }

  unitOf(handle: object): UnitOfWork | 'none' | undefined {
    // A client is a proxy that answers what it is asked, not what `in` asks.
    if (!isClient(handle)) return undefined;
    return this.#units.get(handle) ?? 'none';
  }

  async #run(
    unit: UnitOfWork,
    work: InTransaction,
    transaction: (work: InTransaction) => Promise<unknown>,
  ): Promise<unknown> {
    let result: unknown;
    try {
      result = await transaction(async (tx) => {
        this.#units.set(tx, unit);
        const answer = await runInTransaction(
          () => unit,
          () => work(tx),
        );
        await unit.committing(executeOn(tx as PrismaClientLike));
        return answer;
      });
    } catch (error) {
      // It failed before its commit, or nobody knows.
      await unit.unresolved();
      throw error;
    }
    await unit.committed();
    return result;
  }
}

function isClient(handle: object): handle is PrismaClientLike {
  return hasMethods(handle, ['$queryRawUnsafe', '$executeRawUnsafe']);
}

function executeOn(client: PrismaClientLike): Execute {
  return async (sql, parameters) => {
    const rows = await client.$queryRawUnsafe(sql, ...(parameters as never[]));
    return Array.isArray(rows) ? (rows as unknown[]) : [];
  };
}
