/** How SQL is run, whichever library does it. */

/** The journal's way to the database, outside the users' transactions. */
export interface Database {
  /** `postgres`, or another name the library has for it. */
  readonly dialect: string;
  readonly execute: Execute;
  transaction<T>(work: (execute: Execute) => Promise<T>): Promise<T>;
}

/** Parameters are `$1`, `$2`, …, each used once and in their order. */
export type Execute = (sql: string, parameters: readonly unknown[]) => Promise<readonly unknown[]>;
