import { externalMessageId } from '@tickmark/domain';
import type postgres from 'postgres';
import { cancelRetriesOf } from './cancel-retries.ts';
import { revokeAdoptions } from './release-sids.ts';

/**
 * Makes rows unknown again that adopted a sid and now turn out to have another one, or none: their own call is better evidence than a
 * likeness in a list. The message that they had adopted exists all the same, so it becomes an external row with all that was known of it,
 * and is free for the row that it really belongs to. Retries of the rows that wait are canceled.
 */
export async function releaseAdoptions(tx: postgres.ISql, ids: readonly string[]): Promise<void> {
  const rows = await tx<{ id: string; sid: string }[]>`
    SELECT id, message_sid AS sid FROM whatsapp_messages
    WHERE id = ANY (${[...ids]}::uuid[]) AND sid_source = 'adopted'
    ORDER BY id FOR NO KEY UPDATE`;
  if (rows.length === 0) return;
  const sids = rows.map(({ sid }) => sid);
  const externalIds = sids.map(externalMessageId);
  // Three statements, because the sid is unique: a row without it, the sid away from its holder, the sid to the new row.
  await tx`
    INSERT INTO whatsapp_messages (id, origin, status, rank, error_code, contradicted, priority, sender, sender_address, recipient,
      queued_at, sent_at, delivered_at, read_at, failed_at)
    SELECT e.id, 'external', m.status, m.rank, m.error_code, m.contradicted, m.priority, m.sender, m.sender_address, m.recipient,
      m.queued_at, m.sent_at, m.delivered_at, m.read_at, m.failed_at
    FROM unnest(${externalIds}::uuid[], ${sids}::text[]) AS e (id, sid) JOIN whatsapp_messages m ON m.message_sid = e.sid
    ORDER BY e.id
    ON CONFLICT (id) DO NOTHING`;
  await tx`
    WITH adopters AS MATERIALIZED (
      SELECT id, attempts, message_sid FROM whatsapp_messages WHERE id = ANY (${rows.map(({ id }) => id)}::uuid[])
    ), ${revokeAdoptions(tx)}, repointed AS (
      UPDATE message_status_logs l SET message_id = e.id, attempt = NULL
      FROM unnest(${externalIds}::uuid[], ${sids}::text[]) AS e (id, sid)
      WHERE l.message_sid = e.sid
    )
    SELECT`;
  await tx`
    UPDATE whatsapp_messages m SET message_sid = e.sid, sid_source = 'callback'
    FROM unnest(${externalIds}::uuid[], ${sids}::text[]) AS e (id, sid)
    WHERE m.id = e.id AND m.message_sid IS NULL`;
  await cancelRetriesOf(
    tx,
    rows.map(({ id }) => id),
    'revoked',
  );
}
