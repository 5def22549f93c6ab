import type { Database } from '@tickmark/delivery';

export interface StatementCount {
  /** The beginning of its text, enough to find it in the code. */
  text: string;
  calls: number;
  /** How many of the calls status callbacks cause. */
  callbackCalls: number;
}

/** Begins to count the statements of all clients of this database anew. @throws when the server does not count statements */
export async function resetStatements({ sql }: Pick<Database, 'sql'>): Promise<void> {
  const [setting] = await sql<{ value: string }[]>`SELECT current_setting('shared_preload_libraries') AS value`;
  if (!setting?.value.includes('pg_stat_statements')) {
    throw new Error('this PostgreSQL does not load pg_stat_statements: set shared_preload_libraries, or unset DATABASE_URL');
  }
  await sql`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`;
  await sql`SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()`;
}

/** In the text of statements that are the test's own: they are not counted. */
export const NOT_COUNTED = '/* not counted */';

/** Every statement that was executed since, BEGIN and COMMIT too, the most frequent first. */
export async function countStatements({ sql }: Pick<Database, 'sql'>): Promise<StatementCount[]> {
  const rows = await sql<{ query: string; calls: number }[]>`
    SELECT query, sum(calls)::int AS calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND query NOT LIKE '%pg_stat_statements%' AND query NOT LIKE ${`%${NOT_COUNTED}%`}
    GROUP BY query ORDER BY calls DESC`;
  // One transaction holds them: as many of the others' BEGIN and COMMIT are theirs.
  const transactions = Math.max(0, ...rows.filter(({ query }) => query.includes(EVIDENCE)).map(({ calls }) => calls));
  return rows.map(({ query, calls }) => ({ text: shorten(query), calls, callbackCalls: callbacksOf(query, calls, transactions) }));
}

/** In every statement by which a batch of callbacks is applied, save for the one that logs it. */
const EVIDENCE = 'evidence AS MATERIALIZED';

function callbacksOf(query: string, calls: number, transactions: number): number {
  if (query.includes(EVIDENCE) || query.includes('INSERT INTO message_status_logs')) return calls;
  return /^(?:begin|commit)\b/i.test(query) ? Math.min(calls, transactions) : 0;
}

function shorten(query: string): string {
  return query.replaceAll(/\s+/g, ' ').trim().slice(0, 90);
}
