import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { raise } from './apply-evidence-to-messages.ts';
import { inTransaction, type Database } from './database.ts';
import { evidenceTable } from './evidence-columns.ts';
import { evidenceOfCreate, evidenceOfEvents, mergeProjections, type Evidence } from './evidence.ts';

export interface OlderAttemptBound {
  messageSid: string;
  messageId: string;
  to: MessageStatus;
  errorCode: number | null;
  contradicted: boolean;
}

/**
 * Binds sids of older attempts to rows that would otherwise be sent again: a row that waits or is held, without a sid of its own. It says
 * nothing about the newest attempt, which made nothing. News that such an attempt failed averts nothing, nor does a later word about an
 * attempt that has its sid already.
 *
 * Stands in a transaction that locked the rows by an earlier statement, so that this one sees what others did to their attempts.
 *
 * @returns those that were bound, one per row at most: the latest attempt's
 */
export function bindOlderAttempts(tx: postgres.ISql, items: readonly Evidence[]) {
  return tx<OlderAttemptBound[]>`
    WITH ${evidenceTable(tx, items)}, averting AS MATERIALIZED (
      SELECT DISTINCT ON (e.message_id) e.*
      FROM evidence e
      WHERE e.rank <> 50 AND NOT EXISTS (
        SELECT FROM message_attempts a WHERE a.message_id = e.message_id AND a.attempt = e.attempt AND a.message_sid IS NOT NULL)
      ORDER BY e.message_id, e.attempt DESC, e.message_sid
    )
    UPDATE whatsapp_messages m SET ${raise(tx)}
    FROM averting e
    WHERE m.id = e.message_id AND m.status IN ('accepted', 'scheduled', 'retrying', 'held') AND m.message_sid IS NULL
    RETURNING m.message_sid AS "messageSid", m.id AS "messageId", m.status AS "to", m.error_code AS "errorCode", m.contradicted`;
}

/**
 * Binds to waiting rows what was told of their older attempts while the newest one was under way. Safe to repeat.
 *
 * @returns by row; without an entry for one of which somebody else made something meanwhile
 */
export function recallOlderAttempts(db: Pick<Database, 'sql'>, ids: readonly string[]): Promise<Map<string, OlderAttemptBound>> {
  return inTransaction(db.sql, async (tx) => {
    await tx`
      SELECT FROM whatsapp_messages WHERE id = ANY (${[...ids]}::uuid[])
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      ORDER BY id FOR NO KEY UPDATE`;
    const attempts = await takeSids(tx, ids);
    const evidence = attempts.map(toEvidence);
    const bound = evidence.length === 0 ? [] : await bindOlderAttempts(tx, evidence);
    return new Map(bound.map((row) => [row.messageId, row]));
  });
}

interface TakenAttempt {
  messageId: string;
  attempt: number;
  messageSid: string;
  told: { rawStatus: string; errorCode: number | null; receivedAt: string }[];
}

/** Takes the sid of each row's latest attempt that was created off that attempt: no two places have the same one. */
function takeSids(tx: postgres.ISql, ids: readonly string[]) {
  return tx<TakenAttempt[]>`
    WITH created AS MATERIALIZED (
      SELECT DISTINCT ON (a.message_id) a.message_id, a.attempt, a.message_sid
      FROM message_attempts a JOIN whatsapp_messages m ON m.id = a.message_id
      WHERE a.message_id = ANY (${[...ids]}::uuid[]) AND a.message_sid IS NOT NULL AND a.rank < 50
        AND m.status IN ('accepted', 'scheduled', 'retrying') AND m.message_sid IS NULL
      ORDER BY a.message_id, a.attempt DESC
    ), taken AS (
      UPDATE message_attempts a SET message_sid = NULL
      FROM created c
      WHERE a.message_id = c.message_id AND a.attempt = c.attempt
    )
    SELECT c.message_id AS "messageId", c.attempt, c.message_sid AS "messageSid", COALESCE((
        SELECT jsonb_agg(jsonb_build_object('rawStatus', l.status, 'errorCode', l.error_code, 'receivedAt', l.received_at))
        FROM message_status_logs l WHERE l.message_sid = c.message_sid), '[]') AS told
    FROM created c`;
}

function toEvidence({ messageId, attempt, messageSid, told }: TakenAttempt): Evidence {
  const created = evidenceOfCreate(messageSid, messageId, attempt);
  const [logged] = evidenceOfEvents(told.map((event) => ({ ...event, ...UNTOLD, messageSid, messageId, attempt })));
  return logged ? { ...created, projection: mergeProjections(created.projection, logged.projection) } : created;
}

/** What a row that is there need not be told. */
const UNTOLD = { from: null, to: null, messagingServiceSid: null, channelStatusMessage: null, source: 'callback' } as const;
