import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { evidenceTable, isFurther } from './evidence-columns.ts';
import type { Evidence } from './evidence.ts';

export interface AttemptEvidenceResult {
  messageSid: string;
  /** False: the attempt has another sid, nothing was changed. */
  applied: boolean;
  /** The message's row before and after: only an arrival changes it. */
  from: MessageStatus;
  to: MessageStatus;
  contradicted: boolean;
}

/**
 * Raises attempts before the newest one; each evidence names its row and attempt. Such an attempt says nothing about the message, unless
 * it reached the recipient: then the message is raised as well, and flagged as a possible duplicate.
 */
export function applyEvidenceToAttempts(tx: postgres.ISql, items: readonly Evidence[]) {
  return tx<AttemptEvidenceResult[]>`
    WITH ${evidenceTable(tx, items)}, locked AS MATERIALIZED (
      SELECT id, status, contradicted FROM whatsapp_messages WHERE id = ANY (${items.map((item) => item.messageId)}::uuid[])
      ORDER BY id FOR NO KEY UPDATE
    ), attempts AS (
      INSERT INTO message_attempts AS m (message_id, attempt, message_sid, status, rank, error_code)
      SELECT e.message_id, e.attempt, e.message_sid, e.status, e.rank, e.error_code
      FROM evidence e JOIN locked l ON l.id = e.message_id
      ORDER BY e.message_id, e.attempt
      ON CONFLICT (message_id, attempt) DO UPDATE SET
        message_sid = excluded.message_sid,
        status = CASE WHEN ${isFurtherThanAttempt(tx)} THEN excluded.status ELSE m.status END,
        rank = CASE WHEN ${isFurtherThanAttempt(tx)} THEN excluded.rank ELSE m.rank END,
        error_code = CASE WHEN ${isFurtherThanAttempt(tx)} THEN excluded.error_code ELSE m.error_code END
      WHERE m.message_sid IS NULL OR m.message_sid = excluded.message_sid
      RETURNING m.message_sid
    ), arrivals AS (
      SELECT e.message_id, bool_or(e.read_at IS NOT NULL) AS read, min(e.delivered_at) AS delivered_at, min(e.read_at) AS read_at
      FROM evidence e JOIN attempts USING (message_sid)
      WHERE e.delivered_at IS NOT NULL OR e.read_at IS NOT NULL
      GROUP BY e.message_id
    ), arrived AS (
      SELECT message_id, CASE WHEN read THEN 'read' ELSE 'delivered' END AS status, CASE WHEN read THEN 70 ELSE 60 END AS rank,
        NULL::int AS error_code, delivered_at, read_at
      FROM arrivals
    ), raised AS (
      UPDATE whatsapp_messages m SET
        duplicate = true,
        contradicted = m.contradicted OR m.rank = 50,
        status = CASE WHEN ${isFurther(tx)} THEN e.status ELSE m.status END,
        rank = CASE WHEN ${isFurther(tx)} THEN e.rank ELSE m.rank END,
        error_code = CASE WHEN ${isFurther(tx)} THEN e.error_code ELSE m.error_code END,
        delivered_at = LEAST(m.delivered_at, e.delivered_at),
        read_at = LEAST(m.read_at, e.read_at),
        updated_at = now()
      FROM arrived e
      WHERE m.id = e.message_id
      RETURNING m.id, m.status, m.contradicted
    )
    SELECT e.message_sid AS "messageSid", a.message_sid IS NOT NULL AS applied, l.status AS "from", COALESCE(r.status, l.status) AS "to",
      COALESCE(r.contradicted, l.contradicted) AS contradicted
    FROM evidence e JOIN locked l ON l.id = e.message_id LEFT JOIN attempts a USING (message_sid) LEFT JOIN raised r ON r.id = l.id`;
}

function isFurtherThanAttempt(tx: postgres.ISql) {
  return tx`((excluded.rank, excluded.status COLLATE "C", COALESCE(excluded.error_code, -1))
    > (m.rank, COALESCE(m.status, '') COLLATE "C", COALESCE(m.error_code, -1)))`;
}
