import type { MessageStatus, StatusProjection } from '@tickmark/domain';
import type postgres from 'postgres';
import { cancelRetriesOf } from './cancel-retries.ts';
import { mergeProjections, type Evidence } from './evidence.ts';
import { SYSTEM_ACTOR } from './write-audit.ts';
import { measuresOf } from './measures-of.ts';

interface ReleasedRow {
  id: string;
  origin: string;
  messageSid: string;
  status: MessageStatus;
  errorCode: number | null;
  contradicted: boolean;
  queuedAt: Date | null;
  sentAt: Date | null;
  deliveredAt: Date | null;
  readAt: Date | null;
  failedAt: Date | null;
}

/**
 * Takes sids away from rows whose claim to them is weaker than that of the evidence's own row: an external message goes away, an adopter
 * is `unknown` again (the one case in which a rank falls), and a retry of it that waits is canceled. Their logs are re-pointed.
 *
 * @returns the evidences, with what those rows knew merged into them
 */
export async function releaseSids(tx: postgres.ISql, items: readonly Evidence[]): Promise<Evidence[]> {
  const rows = await releaseRows(tx, items);
  const adopters = rows.flatMap(({ id, origin }) => (origin === 'external' ? [] : [id]));
  if (adopters.length > 0) await cancelRetriesOf(tx, adopters, 'revoked');
  const bySid = new Map(rows.map((row) => [row.messageSid, toProjection(row)]));
  return items.map((item) => {
    const known = bySid.get(item.messageSid);
    return known ? { ...item, projection: mergeProjections(item.projection, known) } : item;
  });
}

function releaseRows(tx: postgres.ISql, items: readonly Evidence[]) {
  const sids = items.map((item) => item.messageSid);
  return tx<ReleasedRow[]>`
    WITH holders AS MATERIALIZED (
      SELECT * FROM whatsapp_messages
      WHERE message_sid = ANY (${sids}::text[]) AND (origin = 'external' OR sid_source = 'adopted')
      ORDER BY id FOR UPDATE
    ), deleted AS (
      DELETE FROM whatsapp_messages WHERE id IN (SELECT id FROM holders WHERE origin = 'external') RETURNING *
    ), uncounted AS (
      -- Its owner's row counts from now on: the one deletion that the rollups must follow.
      INSERT INTO delivery_metric_changes (hour, sender, changes)
      SELECT delivery_hour(created_at), COALESCE(sender, sender_address, ''), (
        SELECT jsonb_object_agg(measure, -1) FROM unnest(${measuresOf(tx)}) AS measure
        WHERE measure IS NOT NULL)
      FROM deleted
    ), adopters AS (
      SELECT id, attempts, message_sid FROM holders WHERE origin <> 'external'
    ), ${revokeAdoptions(tx)}, repointed AS (
      UPDATE message_status_logs l SET message_id = o.message_id, attempt = o.attempt
      FROM holders h, unnest(${sids}::text[], ${items.map((item) => item.messageId)}::uuid[], ${items.map((item) => item.attempt)}::int[])
        AS o (message_sid, message_id, attempt)
      WHERE l.message_sid = h.message_sid AND o.message_sid = h.message_sid
    )
    SELECT id, origin, message_sid AS "messageSid", status, error_code AS "errorCode", contradicted, queued_at AS "queuedAt", sent_at AS "sentAt",
      delivered_at AS "deliveredAt", read_at AS "readAt", failed_at AS "failedAt"
    FROM holders`;
}

/**
 * Takes adopted sids away from the rows of `adopters` (id, attempts, message_sid): they are unknown again, as if nobody had looked.
 *
 * What the search had found out is forgotten with it, because it rested on the same list. The caller cancels their retries: the failure
 * that led to them was another message's.
 */
export function revokeAdoptions(tx: postgres.ISql) {
  return tx`
    revoked AS (
      UPDATE whatsapp_messages m SET message_sid = NULL, sid_source = NULL, status = 'unknown', rank = 0, error_code = NULL,
        contradicted = false, queued_at = NULL, sent_at = NULL, delivered_at = NULL, read_at = NULL, failed_at = NULL, updated_at = now()
      FROM adopters a
      WHERE m.id = a.id AND m.sid_source = 'adopted' AND m.message_sid = a.message_sid
    ), forgotten AS (
      DELETE FROM outcome_searches s USING adopters a WHERE s.message_id = a.id AND s.attempt = a.attempts
    ), audited AS (
      INSERT INTO audit_log (actor, action, message_id, details)
      SELECT ${SYSTEM_ACTOR}, 'adoption_revoked', id, jsonb_build_object('messageSid', message_sid, 'attempt', attempts) FROM adopters
    )`;
}

function toProjection(row: ReleasedRow): StatusProjection {
  return {
    status: row.status,
    errorCode: row.errorCode,
    contradicted: row.contradicted,
    queuedAt: row.queuedAt?.getTime() ?? null,
    sentAt: row.sentAt?.getTime() ?? null,
    deliveredAt: row.deliveredAt?.getTime() ?? null,
    readAt: row.readAt?.getTime() ?? null,
    failedAt: row.failedAt?.getTime() ?? null,
  };
}
