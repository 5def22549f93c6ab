import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';

export interface Database {
  /** postgres.js, for raw SQL. */
  sql: postgres.Sql;
  /** Drizzle on a client of its own: `drizzle(client)` changes the serialisers of the client that it is given. */
  orm: PostgresJsDatabase;
  /** Ends every connection, within `deadlineMs` (default 5,000) at the latest. Safe to repeat. */
  close(deadlineMs?: number): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** False behind a transaction-pooling PgBouncer. */
  prepare: boolean;
  /** Connections for raw SQL at most. */
  max: number;
  applicationName: string;
}

export function createDatabase(_options: DatabaseOptions): Database {
  throw new Error('not written yet');
}
