import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';

/** Rows per statement: far from the statement's time-out, and few enough that nobody waits long for one of them. */
const PAGE_ROWS = 1_000;

interface Cursor {
  id: string;
  expiresAt: Date;
}

/**
 * Messages that wait or are held beyond their validity end as `expired`, also those that are parked under a stop: a person's word or a job
 * would come too late for them. What has a sid, is claimed or unknown never does. A row that a statement is just writing is left out.
 *
 * Walks by the time of expiry, `rowsMax` rows, rounded up to pages. Safe to repeat at any time.
 *
 * @returns how many
 */
export async function expireOverdue(
  db: Pick<Database, 'sql'>,
  { rowsMax, onExpired }: { rowsMax: number; onExpired?: (ids: string[]) => void },
): Promise<number> {
  let expired = 0;
  let after: Cursor | null = null;
  for (let seen = 0; seen < rowsMax; seen += PAGE_ROWS) {
    const page: Cursor[] = await inStatement(db.sql, (sql) => expirePage(sql, after));
    expired += page.length;
    onExpired?.(page.map(({ id }) => id));
    if (page.length < PAGE_ROWS) break;
    after = page.at(-1) ?? null;
  }
  return expired;
}

function expirePage(sql: postgres.ISql, after: Cursor | null) {
  return sql<Cursor[]>`
    WITH overdue AS MATERIALIZED (
      SELECT id, expires_at FROM whatsapp_messages
      -- The words of the partial index, which holds only rows that wait or are held and have a validity.
      WHERE open_status IN ('accepted', 'scheduled', 'retrying', 'held') AND expires_at <= now() AND message_sid IS NULL
        ${after === null ? sql`` : sql`AND (expires_at, id) > (${after.expiresAt}, ${after.id}::uuid)`}
      ORDER BY expires_at, id
      LIMIT ${PAGE_ROWS}
      FOR NO KEY UPDATE SKIP LOCKED
    ), expired AS (
      UPDATE whatsapp_messages m SET status = 'expired', rank = 50, updated_at = now()
      FROM overdue o
      WHERE m.id = o.id AND m.status IN ('accepted', 'scheduled', 'retrying', 'held') AND m.message_sid IS NULL
      RETURNING m.id, m.expires_at
    )
    SELECT id, expires_at AS "expiresAt" FROM expired ORDER BY expires_at, id`;
}
