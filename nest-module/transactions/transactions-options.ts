/** Options of the module. */
import { ConfigurableModuleBuilder } from '@nestjs/common';
import { ConfigurationError } from '../client';
import { checkObject } from '../module/check-options';
import { milliseconds } from '../units/duration';
import { hasMethods, type TransactionSource } from './source';

export interface JournalOptions {
  /** Name of the table, with its schema if need be. @default 'turbocache_evictions' */
  table?: string;
  /** `true`: the table is made at boot if it is not there. @default false */
  createTable?: boolean;
  /** Services that share the table, but no cache, need names of their own. @default the namespace of the default manager */
  owner?: string;
  /** A row that is older than this was left behind: milliseconds or a text. @default '30s' */
  grace?: number | string;
  /** How often rows that were left behind are looked for; at boot, too. @default '30s' */
  every?: number | string;
  /** Most rows that are applied at once. @default 100 */
  batch?: number;
}

export interface TurboCacheTransactionsOptions {
  /** `typeormTransactions(dataSource)`, `mikroOrmTransactions(orm)`, `prismaTransactions(client)`, or several of them. */
  source: TransactionSource | readonly TransactionSource[];
  /** Survives the death of a process between its commit and its evictions. `false`: nothing is written down. @default false */
  journal?: JournalOptions | false;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TurboCacheTransactionsOptions>({ moduleName: 'TurboCacheTransactions' })
    .setClassMethodName('forRoot')
    .build();

export type CheckedJournalOptions = Required<JournalOptions> & { readonly grace: number; readonly every: number };

export interface CheckedTransactionsOptions {
  readonly sources: readonly TransactionSource[];
  /** `owner` is filled in when the default manager is known. */
  readonly journal: (Omit<CheckedJournalOptions, 'owner'> & { readonly owner: string | undefined }) | undefined;
}

const WHERE = 'TurboCacheTransactionsModule';
const JOURNAL = ['table', 'createTable', 'owner', 'grace', 'every', 'batch'];

export function checkTransactionsOptions(options: TurboCacheTransactionsOptions): CheckedTransactionsOptions {
  checkObject(WHERE, 'options', options);
  const { source, journal = false, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw wrong(name, name, '`source` or `journal`');
  const sources = isList(source) ? source : [source];
  if (sources.length === 0 || !sources.every((each) => hasMethods(each, ['attach', 'unitOf']))) {
    throw wrong('source', source, 'typeormTransactions(…), mikroOrmTransactions(…) or prismaTransactions(…)');
  }
  return { sources, journal: journal === false ? undefined : checkJournal(journal) };
}

function checkJournal(journal: JournalOptions): NonNullable<CheckedTransactionsOptions['journal']> {
  checkObject(WHERE, 'journal', journal);
  const unknown = Object.keys(journal).find((name) => !JOURNAL.includes(name));
  if (unknown !== undefined) throw wrong(`journal.${unknown}`, unknown, `one of ${JOURNAL.join(', ')}`);
  const { table = 'turbocache_evictions', createTable = false, owner, batch = 100 } = journal;
  // It stands in statements as it is.
  if (typeof table !== 'string' || !/^[a-z_]\w*(?:\.[a-z_]\w*)?$/i.test(table)) {
    throw wrong('journal.table', table, 'the name of a table, such as evictions or cache.evictions');
  }
  if (typeof createTable !== 'boolean') throw wrong('journal.createTable', createTable, 'true or false');
  if (owner !== undefined && typeof owner !== 'string') throw wrong('journal.owner', owner, 'a text');
  if (!Number.isInteger(batch) || batch < 1 || batch > 10_000) {
    throw wrong('journal.batch', batch, 'a whole number from 1 to 10,000');
  }
  const grace = milliseconds(journal.grace ?? '30s', 'journal.grace', WHERE);
  const every = milliseconds(journal.every ?? '30s', 'journal.every', WHERE);
  if (every === 0) throw wrong('journal.every', every, 'more than 0 ms');
  return { table, createTable, owner, grace, every, batch };
}

function isList(source: TurboCacheTransactionsOptions['source']): source is readonly TransactionSource[] {
  return Array.isArray(source);
}

function wrong(option: string, got: unknown, expected: string): ConfigurationError {
  const text = typeof got === 'string' || typeof got === 'number' ? JSON.stringify(got) : typeof got;
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `${WHERE}: option "${option}" is ${text}; expected ${expected}.`,
    { option, got, expected },
  );
}
