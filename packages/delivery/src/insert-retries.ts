import { retryMessageId, type FailureDecision, type Priority } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { repeatedColumns } from './retry-columns.ts';
import { settleBatch } from './settle-batch.ts';

/** A message that had been created and failed, with a code that leads to another try. */
export interface FailedMessage {
  id: string;
  errorCode: number;
  decision: Exclude<FailureDecision, { action: 'nothing' }>;
}

export interface InsertedRetry {
  id: string;
  /** False: it is held, for a person to release. */
  waiting: boolean;
  status: 'scheduled' | 'held';
  dueAt: Date | null;
  /** Alias. */
  sender: string;
  priority: Priority;
}

/** A failure that is told again after so long (a list, a restored queue) is history: nobody waits for this message any more. */
const FAILURE_HOURS_MAX = 24;

/**
 * Makes the one retry that a failed message may have: a new row with its content, due after a random time or held. The old row does not
 * change.
 *
 * A message has none when it is a retry itself, did not fail with this code, has arrived meanwhile, was not sent by us, lost its content,
 * would be too late by its validity, was to be canceled by its producer, or only adopted the sid that failed, which may be another message's. Safe to repeat: the retry's id follows from the message's, so there is never a second one.
 *
 * @returns per message the row that was made now, null when there is nothing (more) to make
 */
export function insertRetries(db: Pick<Database, 'sql'>, failed: readonly FailedMessage[]): Promise<Settled<InsertedRetry | null>[]> {
  return settleBatch(failed, async (batch) => {
    const inserted = await inStatement(db.sql, (sql) => insertRows(sql, batch));
    const rows = new Map(inserted.map((row) => [row.id, row]));
    return batch.map(({ id }) => {
      const retryId = retryMessageId(id.toLowerCase());
      const row = rows.get(retryId) ?? null;
      rows.delete(retryId);
      return row;
    });
  });
}

function insertRows(sql: postgres.ISql, batch: readonly FailedMessage[]) {
  const ids = batch.map((message) => message.id.toLowerCase());
  const delays = batch.map(({ decision }) => (decision.action === 'retry' ? decision : null));
  return sql<InsertedRetry[]>`
    WITH failures AS MATERIALIZED (
      SELECT * FROM unnest(
        ${ids}::uuid[], ${ids.map(retryMessageId)}::uuid[], ${batch.map((message) => message.errorCode)}::int[],
        ${batch.map((message) => message.decision.action)}::text[],
        ${delays.map((delay) => delay?.delayMsMin ?? null)}::int[], ${delays.map((delay) => delay?.delayMsMax ?? null)}::int[]
      ) AS f (id, retry_id, failed_with, action, delay_ms_min, delay_ms_max)
    ), locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever; locked, so that an arrival that is
      -- told at this moment comes either before this look or after the retry, which it then cancels.
      SELECT id, ${repeatedColumns(sql)}, expires_at, error_code
      FROM whatsapp_messages
      WHERE id = ANY (${ids}::uuid[]) AND status IN ('failed', 'undelivered') AND sid_source IN ('record', 'callback')
        AND origin = 'api' AND retry_of IS NULL AND failed_at > now() - ${FAILURE_HOURS_MAX} * interval '1 hour'
        AND NOT EXISTS (SELECT FROM cancel_requests c WHERE c.message_id = whatsapp_messages.id AND c.producer = whatsapp_messages.producer)
        AND redacted_at IS NULL AND (body IS NOT NULL OR content_sid IS NOT NULL OR media_url IS NOT NULL)
      ORDER BY id FOR NO KEY UPDATE
    ), drawn AS MATERIALIZED (
      SELECT DISTINCT ON (l.id) f.retry_id, f.action, l.*,
        now() + (delay_ms_min + random() * (delay_ms_max - delay_ms_min)) * interval '1 millisecond' AS due_at
      FROM failures f JOIN locked l ON l.id = f.id AND l.error_code = f.failed_with
    )
    INSERT INTO whatsapp_messages (
      id, origin, retry_of, status, rank, error_code, due_at, ${repeatedColumns(sql)}, expires_at)
    SELECT retry_id, 'retry', id, CASE action WHEN 'hold' THEN 'held' ELSE 'scheduled' END, 0,
      -- A held row is released by its code.
      CASE action WHEN 'hold' THEN error_code END, due_at, ${repeatedColumns(sql)}, expires_at
    FROM drawn
    WHERE expires_at IS NULL OR expires_at > COALESCE(due_at, now())
    ORDER BY retry_id
    ON CONFLICT DO NOTHING
    RETURNING id, status = 'scheduled' AS waiting, status, due_at AS "dueAt", sender, priority`;
}
