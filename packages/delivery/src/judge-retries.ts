import { objectToRetry, type RetryObjection } from '@tickmark/domain';
import type postgres from 'postgres';
import { isSuppressed } from './claim-verdict.ts';
import { formsOf } from './recipient-forms.ts';

/**
 * Why a message is not sent again. Of these only {@link RetryObjection} can be overruled.
 *
 * - `not_found`. · `delivered`: or read. · `contradicted`: told to have arrived and to have failed. · `unknown`: it is resolved, not retried.
 * - `not_failed`: waiting, on its way, sent, canceled or suppressed. · `not_ours`: others sent it, or its row was lost.
 * - `already_retried`: it has its retry, which may be retried in its turn. · `retry_canceled`: it had one, which was canceled.
 * - `content_removed`: there is nothing left to send.
 * - `is_retry`: somebody named a filter, and this is a retry itself; by its id it may be sent again.
 * - `canceled`: its producer asked for that. · `suppressed`: its recipient must not be written to.
 */
export const RETRY_SKIPS = [
  'not_found',
  'delivered',
  'contradicted',
  'unknown',
  'not_failed',
  'not_ours',
  'already_retried',
  'retry_canceled',
  'is_retry',
  'content_removed',
  'canceled',
  'suppressed',
  'permanent',
  'may_have_arrived',
] as const;

export type RetrySkip = (typeof RETRY_SKIPS)[number];

type RetryObstacle = Exclude<RetrySkip, RetryObjection>;

export interface JudgedRetry {
  id: string;
  /** Null: it may be sent again. */
  why: RetrySkip | null;
  /** The same request made its retry before. */
  madeBefore: boolean;
}

interface Facts {
  id: string;
  obstacle: RetryObstacle | null;
  errorCode: number | null;
  isExpired: boolean;
  isAdopted: boolean;
  madeBefore: boolean;
}

/**
 * Says of each message whether it may be sent again now.
 *
 * @param lock keeps the rows as they are until the transaction ends
 */
export async function judgeRetries(
  sql: postgres.ISql,
  ids: readonly string[],
  { force, requestId, lock }: { force: boolean; requestId: string | null; lock: boolean },
): Promise<JudgedRetry[]> {
  const rows = await sql<Facts[]>`
    WITH m AS MATERIALIZED (
      SELECT *, ${formsOf(sql, 'recipient')} AS forms FROM whatsapp_messages
      WHERE id = ANY (${[...ids]}::uuid[])
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      ORDER BY id ${lock ? sql`FOR NO KEY UPDATE` : sql``}
    )
    SELECT m.id, m.error_code AS "errorCode", m.status = 'expired' AS "isExpired",
      m.sid_source IS NOT DISTINCT FROM 'adopted' AS "isAdopted", ${findObstacle(sql)} AS obstacle,
      EXISTS (
        SELECT FROM audit_log a
        WHERE a.message_id = m.id AND a.action = 'message_retried' AND a.details->>'request' = ${requestId}) AS "madeBefore"
    FROM m`;
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const facts = found.get(id);
    return { id, why: facts === undefined ? 'not_found' : decide(facts, force), madeBefore: facts?.madeBefore ?? false };
  });
}

function decide({ obstacle, errorCode, isExpired, isAdopted }: Facts, force: boolean): RetrySkip | null {
  if (obstacle !== null || force) return obstacle;
  // An adopted sid may be another message's, and so may its failure.
  if (isAdopted) return 'may_have_arrived';
  // What expired here was certainly not created, with or without a code.
  return isExpired && errorCode === null ? null : objectToRetry(errorCode);
}

/** The first reason that holds. The look-ups behind it run only for rows that come so far. */
function findObstacle(sql: postgres.ISql) {
  return sql`CASE
    WHEN m.status IN ('delivered', 'read') THEN 'delivered'
    WHEN m.contradicted THEN 'contradicted'
    WHEN m.status = 'unknown' THEN 'unknown'
    WHEN m.status NOT IN ('failed', 'undelivered', 'expired') THEN 'not_failed'
    WHEN m.origin NOT IN ('api', 'retry') OR m.producer IS NULL OR m.sender IS NULL OR m.sender_address IS NULL THEN 'not_ours'
    WHEN EXISTS (SELECT FROM whatsapp_messages r WHERE r.retry_of = m.id AND r.status = 'canceled') THEN 'retry_canceled'
    WHEN EXISTS (SELECT FROM whatsapp_messages r WHERE r.retry_of = m.id) THEN 'already_retried'
    WHEN m.recipient IS NULL OR m.redacted_at IS NOT NULL OR COALESCE(m.body, m.content_sid, m.media_url) IS NULL THEN 'content_removed'
    WHEN (SELECT true FROM cancel_requests c WHERE c.message_id IN (m.id, m.retry_of) AND c.producer = m.producer LIMIT 1) THEN 'canceled'
    WHEN ${isSuppressed(sql)} THEN 'suppressed'
  END`;
}
