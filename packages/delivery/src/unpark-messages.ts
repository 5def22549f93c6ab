import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { isStoppedByContent } from './stop-conditions.ts';

/** Rows looked at per statement: far from the statement's time-out, and few enough that claims of the same rows do not wait long. */
const PAGE_ROWS = 2_000;

/** Where the next page begins: the id of the last parked row that was looked at. */
export type ParkedCursor = string;

/**
 * Lets rows that are parked under no stop any more be due now. Needed after a stop has ended, at once or by its time, and by every sweep: a
 * claim that began before the stop ended may park its row after all.
 *
 * Walks the parked rows by id, `rowsMax` of them (default: all). Safe to repeat at any time.
 *
 * @returns how many rows wait again, and where the next call goes on; null = the end was reached
 */
export async function unparkMessages(
  db: Pick<Database, 'sql'>,
  { after = null, rowsMax = Infinity }: { after?: ParkedCursor | null; rowsMax?: number } = {},
): Promise<{ unparked: number; next: ParkedCursor | null }> {
  let unparked = 0;
  let next = after;
  for (let seen = 0; seen < rowsMax; seen += PAGE_ROWS) {
    const page = await inStatement(db.sql, (sql) => unparkPage(sql, next));
    unparked += page.unparked;
    next = page.last;
    if (page.looked < PAGE_ROWS) return { unparked, next: null };
  }
  return { unparked, next };
}

async function unparkPage(sql: postgres.ISql, after: ParkedCursor | null) {
  const [page] = await sql<[{ looked: number; unparked: number; last: ParkedCursor | null }]>`
    WITH page AS MATERIALIZED (
      SELECT id, campaign, content_sid FROM whatsapp_messages
      -- The words of the partial index, in which the parked rows stand last.
      WHERE open_status IN ('accepted', 'scheduled', 'retrying') AND due_at = 'infinity' ${after === null ? sql`` : sql`AND id > ${after}::uuid`}
      ORDER BY id
      LIMIT ${PAGE_ROWS}
    ), locked AS MATERIALIZED (
      -- In key order, so that a claim of the same rows and this wait for each other instead of for ever.
      SELECT id FROM whatsapp_messages
      WHERE id = ANY (ARRAY (
        SELECT id FROM page m WHERE ${isStoppedByContent(sql)} IS NOT TRUE))
      ORDER BY id FOR NO KEY UPDATE
    ), unparked AS (
      UPDATE whatsapp_messages m
      SET due_at = now(), updated_at = now()
      FROM locked l
      WHERE m.id = l.id AND m.due_at = 'infinity' AND m.status IN ('accepted', 'scheduled', 'retrying') AND m.message_sid IS NULL
      RETURNING m.id
    )
    SELECT (SELECT count(*) FROM page)::int AS looked, (SELECT count(*) FROM unparked)::int AS unparked,
      (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last`;
  return page;
}
