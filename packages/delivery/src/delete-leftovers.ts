import { inStatement, type Database } from './database.ts';

/** Rows per statement: nobody waits for them, and none is worth a long one. */
const PAGE_ROWS = 500;

/**
 * Deletes cancellations that were asked for long ago. Those whose message, or its retry, may still be sent stay, however old: the claim looks at them.
 *
 * A message that comes later than that under a canceled id is not canceled any more. Safe to repeat. @returns how many
 */
export function deleteCancelRequests(db: Pick<Database, 'sql'>, { olderThanSeconds }: { olderThanSeconds: number }): Promise<number> {
  return deletePages(() =>
    inStatement(
      db.sql,
      (sql) => sql`
        WITH old AS MATERIALIZED (
          SELECT message_id, producer FROM cancel_requests c
          WHERE requested_at < now() - ${olderThanSeconds} * interval '1 second'
            AND NOT EXISTS (SELECT FROM whatsapp_messages m WHERE m.id = c.message_id AND m.rank = 0)
            AND NOT EXISTS (SELECT FROM whatsapp_messages r WHERE r.retry_of = c.message_id AND r.rank = 0)
          ORDER BY requested_at
          LIMIT ${PAGE_ROWS}
          FOR UPDATE SKIP LOCKED
        )
        DELETE FROM cancel_requests c USING old
        WHERE c.message_id = old.message_id AND c.producer = old.producer
        RETURNING c.message_id`,
    ),
  );
}

/**
 * Deletes stops that ended by their time so long ago, and breakers of accounts that nobody has tried for so long: whoever had the credentials
 * would have, every few minutes. What a breaker's next pause depends on (how often it opened within the hour) must be younger. Safe to repeat.
 *
 * @returns how many
 */
export function deleteEndedStops(db: Pick<Database, 'sql'>, { endedForSeconds }: { endedForSeconds: number }): Promise<number> {
  return deletePages(() =>
    inStatement(
      db.sql,
      (sql) => sql`
        WITH ended AS MATERIALIZED (
          SELECT scope, target, source FROM send_stops
          WHERE until < now() - ${endedForSeconds} * interval '1 second'
            OR (scope = 'account' AND source = 'breaker' AND until IS NULL
              AND GREATEST(opened_at, probed_at) < now() - ${endedForSeconds} * interval '1 second')
          LIMIT ${PAGE_ROWS}
          FOR UPDATE SKIP LOCKED
        )
        DELETE FROM send_stops s USING ended e
        WHERE s.scope = e.scope AND s.target = e.target AND s.source = e.source
        RETURNING s.scope`,
    ),
  );
}

async function deletePages(deletePage: () => Promise<readonly unknown[]>): Promise<number> {
  for (let deleted = 0; ;) {
    const { length } = await deletePage();
    deleted += length;
    if (length < PAGE_ROWS) return deleted;
  }
}
