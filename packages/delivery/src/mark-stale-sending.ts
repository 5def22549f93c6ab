import { inStatement, type Database } from './database.ts';

/** Rows of one call; what is left comes with the next one. */
const ROWS_MAX = 5_000;

/**
 * Claims whose worker must be gone become `unknown`: their call may have created a message, so they are never sent again by themselves.
 * The token stays, so that a late record still finds its row. A row that a statement is just writing is left out.
 *
 * @returns their ids
 */
export async function markStaleSending(db: Pick<Database, 'sql'>, { olderThanSeconds }: { olderThanSeconds: number }): Promise<string[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ id: string }[]>`
      WITH stale AS MATERIALIZED (
        SELECT id FROM whatsapp_messages
        WHERE open_status IN ('sending') AND claimed_at < now() - ${olderThanSeconds} * interval '1 second' AND message_sid IS NULL
        ORDER BY id
        LIMIT ${ROWS_MAX}
        FOR NO KEY UPDATE SKIP LOCKED
      )
      UPDATE whatsapp_messages m SET status = 'unknown', updated_at = now()
      FROM stale s
      WHERE m.id = s.id AND m.status = 'sending' AND m.message_sid IS NULL
      RETURNING m.id`,
  );
  return rows.map(({ id }) => id);
}
