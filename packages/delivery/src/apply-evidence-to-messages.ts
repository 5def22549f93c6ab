import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { evidenceTable, isFurther } from './evidence-columns.ts';
import type { Evidence } from './evidence.ts';

/**
 * - `applied`: the sid belongs to the row's newest attempt, which now knows everything that the evidence says.
 * - `older_attempt`: it belongs to an attempt before the newest one; nothing was changed yet.
 * - `other_sid`: the row's attempt has another sid; nothing is changed.
 * - `holds_adopted`: the row adopted another sid; its own is better. Nothing was changed yet.
 * - `held_elsewhere`: a row with a weaker claim to the sid has it (an external message, an adoption); nothing was changed yet.
 * - `no_row`: neither id nor sid leads to a row. · `again`: another sid of the batch was bound to this row first.
 */
type Verdict = 'applied' | 'older_attempt' | 'other_sid' | 'holds_adopted' | 'held_elsewhere' | 'no_row' | 'again';

export interface MessageEvidenceResult {
  messageSid: string;
  verdict: Verdict;
  /** Null for `no_row` only. */
  messageId: string | null;
  /** The row before and after. */
  from: MessageStatus | null;
  to: MessageStatus | null;
  errorCode: number | null;
  /** The attempt that the evidence is about. */
  attempt: number | null;
  /** The evidence tells of a later attempt than the row knew: the row is from a restored backup. */
  attemptsRaised: boolean;
  bound: boolean;
  /** Afterwards: both an arrival and a final failure were told. */
  contradicted: boolean;
  sender: string | null;
  contentSid: string | null;
  campaign: string | null;
  /** From when the recipient could have had it: acceptance, or the time that it was scheduled for. */
  startedAt: Date | null;
  sentFirst: boolean;
  deliveredFirst: boolean;
  readFirst: boolean;
}

/** Raises the rows that the evidences belong to, binding sids to rows that have none. Locks every row that it looks at, in key order. */
export function applyEvidenceToMessages(tx: postgres.ISql, items: readonly Evidence[]) {
  const sids = items.map((item) => item.messageSid);
  return tx<MessageEvidenceResult[]>`
    WITH ${evidenceTable(tx, items)}, candidates AS (
      SELECT id FROM whatsapp_messages WHERE id = ANY (${items.map((item) => item.messageId)}::uuid[])
      UNION
      SELECT id FROM whatsapp_messages WHERE message_sid = ANY (${sids}::text[])
    ), locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      SELECT m.id, m.status, m.error_code, m.attempts, m.message_sid, m.sid_source, m.origin, m.sender, m.content_sid, m.campaign,
        m.contradicted, m.sent_at, m.delivered_at, m.read_at, GREATEST(m.accepted_at, m.send_at) AS started_at
      FROM whatsapp_messages m
      WHERE m.id = ANY (ARRAY (SELECT id FROM candidates))
      ORDER BY m.id FOR NO KEY UPDATE OF m
    ), resolved AS MATERIALIZED (
      SELECT e.*, COALESCE(o.id, h.id) AS id, ${verdict(tx)} AS verdict
      FROM evidence e
        -- The row that the callback's URL names, and the row that has the sid.
        LEFT JOIN locked o ON o.id = e.message_id
        LEFT JOIN locked h ON h.message_sid = e.message_sid
    ), updated AS (
      UPDATE whatsapp_messages m SET ${raise(tx)}
      FROM resolved e
      WHERE e.verdict = 'applied' AND m.id = e.id AND (m.message_sid IS NULL OR m.message_sid = e.message_sid) AND ${saysSomethingNew(tx)}
      RETURNING m.id, m.status, m.error_code, m.contradicted
    )
    SELECT e.message_sid AS "messageSid", e.verdict, e.id AS "messageId", l.status AS "from", COALESCE(u.status, l.status) AS "to",
      CASE WHEN u.id IS NULL THEN l.error_code ELSE u.error_code END AS "errorCode",
      COALESCE(e.attempt, NULLIF(l.attempts, 0)) AS attempt,
      COALESCE(e.verdict = 'applied' AND e.attempt > l.attempts, false) AS "attemptsRaised",
      COALESCE(e.verdict = 'applied' AND l.message_sid IS NULL, false) AS bound,
      COALESCE(u.contradicted, l.contradicted, false) AS contradicted, l.sender, l.content_sid AS "contentSid", l.campaign,
      l.started_at AS "startedAt",
      l.sent_at IS NULL AND e.sent_at IS NOT NULL AS "sentFirst",
      l.delivered_at IS NULL AND e.delivered_at IS NOT NULL AS "deliveredFirst",
      l.read_at IS NULL AND e.read_at IS NOT NULL AS "readFirst"
    FROM resolved e LEFT JOIN locked l ON l.id = e.id LEFT JOIN updated u ON u.id = e.id`;
}

function verdict(tx: postgres.ISql) {
  return tx`CASE
    WHEN o.id IS NULL AND h.id IS NULL THEN 'no_row'
    -- An external row was made before anyone knew whose the sid is; this callback knows.
    WHEN o.id IS NULL AND e.message_id IS NOT NULL AND h.origin = 'external' THEN 'no_row'
    WHEN o.id IS NULL OR o.message_sid = e.message_sid THEN 'applied'
    WHEN e.attempt < o.attempts THEN 'older_attempt'
    WHEN o.sid_source = 'adopted' THEN 'holds_adopted'
    WHEN o.message_sid IS NOT NULL THEN 'other_sid'
    WHEN h.origin = 'external' OR h.sid_source = 'adopted' THEN 'held_elsewhere'
    WHEN h.id IS NOT NULL THEN 'other_sid'
    WHEN row_number() OVER (PARTITION BY o.id ORDER BY e.message_sid) > 1 THEN 'again'
    ELSE 'applied'
  END`;
}

/** What row `m` becomes by evidence `e`. */
export function raise(tx: postgres.ISql) {
  const further = isFurther(tx);
  return tx`
    message_sid = e.message_sid,
    sid_source = CASE WHEN m.sid_source IS NULL OR ${confirmsAdoption(tx)} THEN 'callback' ELSE m.sid_source END,
    attempts = GREATEST(m.attempts, e.attempt),
    status = CASE WHEN ${further} THEN e.status ELSE m.status END,
    rank = CASE WHEN ${further} THEN e.rank ELSE m.rank END,
    error_code = CASE WHEN ${further} THEN e.error_code ELSE m.error_code END,
    contradicted = m.contradicted OR ${contradicts(tx)},
    queued_at = LEAST(m.queued_at, e.queued_at),
    sent_at = LEAST(m.sent_at, e.sent_at),
    delivered_at = LEAST(m.delivered_at, e.delivered_at),
    read_at = LEAST(m.read_at, e.read_at),
    failed_at = LEAST(m.failed_at, e.failed_at),
    updated_at = now()`;
}

/** Good news about a row that ended badly, or bad news about one that arrived. */
function contradicts(tx: postgres.ISql) {
  return tx`(e.contradicted
    OR (m.rank = 50 AND (e.delivered_at IS NOT NULL OR e.read_at IS NOT NULL))
    OR (m.rank > 50 AND e.failed_at IS NOT NULL))`;
}

/** The callback's URL names the row that had adopted its sid: from now on nobody else has a better claim to it. */
function confirmsAdoption(tx: postgres.ISql) {
  return tx`(m.sid_source = 'adopted' AND e.message_id = m.id)`;
}

/** Repeated callbacks, and the "queued" that follows a recorded call, are most often no news: they cost no new version of the row. */
function saysSomethingNew(tx: postgres.ISql) {
  return tx`(${isFurther(tx)}
    OR m.message_sid IS NULL
    OR ${confirmsAdoption(tx)}
    OR e.attempt > m.attempts
    OR (NOT m.contradicted AND ${contradicts(tx)})
    OR e.queued_at < m.queued_at OR (e.queued_at IS NOT NULL AND m.queued_at IS NULL)
    OR e.sent_at < m.sent_at OR (e.sent_at IS NOT NULL AND m.sent_at IS NULL)
    OR e.delivered_at < m.delivered_at OR (e.delivered_at IS NOT NULL AND m.delivered_at IS NULL)
    OR e.read_at < m.read_at OR (e.read_at IS NOT NULL AND m.read_at IS NULL)
    OR e.failed_at < m.failed_at OR (e.failed_at IS NOT NULL AND m.failed_at IS NULL))`;
}
