/**
 * How the service talks to the database process: one line of JSON a request, one line of JSON an answer, over TCP.
 * `begin`, `commit` and `rollback` hold for the connection.
 * PGlite lives in one process and serves one query at a time; two service processes that share it need a wire. A service
 * with a PostgreSQL server would use the `pg` client instead of `service/database.ts`, and nothing else would change.
 */
export interface SqlRequest {
  id: number;
  sql: string;
  parameters: readonly SqlValue[];
}

export type SqlValue = string | number | null;

export type SqlAnswer = { id: number; rows: unknown[] } | { id: number; error: string };
