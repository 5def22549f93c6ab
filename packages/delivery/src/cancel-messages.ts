import { cancelResultOf, type CancelResult, type MessageStatus } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { cancelRetriesOf } from './cancel-retries.ts';
import { inStatement, inTransaction, type Database } from './database.ts';
import { sanitizeText } from './sanitize-text.ts';
import { settleBatch } from './settle-batch.ts';

export interface CancelRequest {
  id: string;
  /** Who asks: only its own messages are found. */
  producer: string;
}

export interface CancelAnswer {
  result: CancelResult;
  /** True when this call canceled something: the row, or the retry of one that had been sent and failed. */
  changed: boolean;
}

/**
 * Cancels each message that waits or is held, for good, and tells of every one how it stands.
 *
 * The request itself is kept first, also when there is no such message: one that overtakes its message meets it in intake, and one that
 * comes between the snapshot and the commit of its insertion, in the claim. Kept requests of ids that nobody knows are harmless: an id is
 * used by one message only.
 *
 * Of a message that was sent and failed the retry that waits is canceled, and none is made any more; the answer stays that of the message.
 *
 * Safe to repeat. Answers are in the order of the requests.
 */
export function cancelMessages(db: Pick<Database, 'sql'>, requests: readonly CancelRequest[]): Promise<Settled<CancelAnswer>[]> {
  return settleBatch(requests, async (batch) => {
    await inStatement(db.sql, (sql) => keepRequests(sql, batch));
    // A statement of its own, begun when the requests are committed: what it does not see yet will see them.
    const rows = await inStatement(db.sql, (sql) => cancelRows(sql, batch));
    const retried = await cancelRetriesOfFailed(db, batch, rows);
    return rows.map(({ status, messageSid, changed }, index) => ({
      result: status === null ? 'not_found' : cancelResultOf({ status, messageSid }),
      changed: changed || retried.delete(batch[index]?.id.toLowerCase() ?? ''),
    }));
  });
}

/** A retry that is made at this very moment either sees the kept request or is seen here, after its maker let go of the message's row. */
async function cancelRetriesOfFailed(
  db: Pick<Database, 'sql'>,
  batch: readonly CancelRequest[],
  rows: readonly CanceledRow[],
): Promise<Map<string, string>> {
  const failed = batch.filter((_request, index) => ['failed', 'undelivered'].includes(rows[index]?.status ?? '')).map(({ id }) => id);
  return failed.length === 0 ? new Map() : inTransaction(db.sql, (tx) => cancelRetriesOf(tx, failed, 'canceled'));
}

function keepRequests(sql: postgres.ISql, batch: readonly CancelRequest[]) {
  return sql`
    INSERT INTO cancel_requests (message_id, producer)
    SELECT DISTINCT r.id, r.producer
    FROM ${requestsOf(sql, batch)}
    -- Of a message that exists only its owner's request is kept; before that nobody knows whose it will be, and each one's is.
    WHERE NOT EXISTS (SELECT FROM whatsapp_messages m WHERE m.id = r.id AND m.producer IS DISTINCT FROM r.producer)
    -- In key order, so that two batches with the same ids wait for each other instead of for ever.
    ORDER BY r.id, r.producer
    ON CONFLICT DO NOTHING`;
}

interface CanceledRow {
  /** As the statement leaves it; null when there is no such message of this producer. */
  status: MessageStatus | null;
  messageSid: string | null;
  changed: boolean;
}

function cancelRows(sql: postgres.ISql, batch: readonly CancelRequest[]) {
  return sql<CanceledRow[]>`
    WITH requests AS MATERIALIZED (
      SELECT * FROM ${requestsOf(sql, batch)}
    ), locked AS MATERIALIZED (
      -- In key order, as above.
      SELECT id, producer, status, message_sid FROM whatsapp_messages
      WHERE id = ANY (${batch.map((request) => request.id)}::uuid[]) ORDER BY id FOR NO KEY UPDATE
    ), canceled AS (
      UPDATE whatsapp_messages m SET status = 'canceled', rank = 50, updated_at = now()
      WHERE m.id IN (SELECT l.id FROM locked l JOIN requests r ON r.id = l.id AND r.producer = l.producer)
        AND m.status IN ('accepted', 'scheduled', 'retrying', 'held') AND m.message_sid IS NULL
      RETURNING m.id
    )
    SELECT CASE WHEN n.id IS NULL THEN l.status ELSE 'canceled' END AS status, l.message_sid AS "messageSid", n.id IS NOT NULL AS changed
    FROM requests r LEFT JOIN locked l ON l.id = r.id AND l.producer = r.producer LEFT JOIN canceled n ON n.id = l.id
    ORDER BY r.position`;
}

function requestsOf(sql: postgres.ISql, batch: readonly CancelRequest[]) {
  return sql`unnest(
    ${batch.map((request) => request.id)}::uuid[], ${batch.map((request) => sanitizeText(request.producer))}::text[]
  ) WITH ORDINALITY AS r (id, producer, position)`;
}
