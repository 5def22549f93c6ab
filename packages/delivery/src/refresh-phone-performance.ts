import type postgres from 'postgres';
import { inTransaction, type Database } from './database.ts';
import { lockRollups } from './fold-delivery-metrics.ts';
import { measuresOf } from './measures-of.ts';

/** Notes looked at in one transaction; each names up to 500 recipients. */
const BATCH_NOTES = 100;
const BATCH_RECIPIENTS = 500;

/** Of a recipient so many of the latest messages are counted: a number that is tested with must not cost a second each time. */
export const PHONE_MESSAGES_MAX = 1_000;

/**
 * Brings `phone_delivery_performance` up to date: for recipients whose messages changed from their rows, for the senders of those messages
 * from the rollups. One transaction per batch, in which the notes are deleted, so that whatever is killed is done again. Safe to repeat.
 *
 * @returns how many recipients were looked at; null when another process is at it
 */
export async function refreshPhonePerformance(
  db: Pick<Database, 'sql'>,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<number | null> {
  for (let refreshed = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop -- each batch takes what the one before left
    const recipients = await inTransaction(db.sql, refreshBatch);
    if (recipients === null) return refreshed === 0 ? null : refreshed;
    refreshed += recipients;
    if (recipients === 0 || signal?.aborted === true) return refreshed;
  }
}

async function refreshBatch(tx: postgres.ISql): Promise<number | null> {
  if (!(await lockRollups(tx, 'try'))) return null;
  const recipients = await takeRecipients(tx);
  if (recipients.length === 0) return 0;
  await refreshRecipients(tx, recipients);
  return recipients.length;
}

/** Takes the oldest notes; what goes beyond one batch is noted again. */
async function takeRecipients(tx: postgres.ISql): Promise<string[]> {
  const rows = await tx<{ recipient: string }[]>`
    WITH taken AS (
      DELETE FROM changed_recipients WHERE id = ANY (ARRAY (SELECT id FROM changed_recipients ORDER BY id LIMIT ${BATCH_NOTES}))
      RETURNING recipients
    ), numbered AS MATERIALIZED (
      SELECT recipient, row_number() OVER (ORDER BY recipient) AS place
      FROM (SELECT DISTINCT unnest(recipients) AS recipient FROM taken) t
    ), rest AS (
      INSERT INTO changed_recipients (recipients)
      SELECT array_agg(recipient) FROM numbered WHERE place > ${BATCH_RECIPIENTS} GROUP BY place / 500
    )
    SELECT recipient FROM numbered WHERE place <= ${BATCH_RECIPIENTS}`;
  return rows.map(({ recipient }) => recipient);
}

/** Counts the recipients' messages, and keeps the newest events of the senders of those: what is newest of them is among these. */
async function refreshRecipients(tx: postgres.ISql, recipients: readonly string[]): Promise<void> {
  await tx`
    WITH messages AS MATERIALIZED (
      SELECT p.phone, m.* FROM unnest(${[...recipients]}::text[]) AS p (phone) CROSS JOIN LATERAL (
        SELECT COALESCE(sender, sender_address) AS sender, created_at, COALESCE(delivered_at, read_at) AS arrived_at,
          CASE WHEN status IN ('failed', 'undelivered') THEN failed_at END AS error_at, error_code,
          ${measuresOf(tx)} AS measures
        FROM whatsapp_messages WHERE recipient = p.phone ORDER BY created_at DESC LIMIT ${PHONE_MESSAGES_MAX}
      ) m
    ), measured AS (
      SELECT phone, jsonb_object_agg(measure, count) AS measures FROM (
        SELECT phone, measure, count(*) AS count FROM messages, unnest(measures) AS measure WHERE measure IS NOT NULL GROUP BY 1, 2
      ) c GROUP BY phone
    ), told AS (
      SELECT phone, 'recipient' AS role, created_at, arrived_at, error_at, error_code FROM messages
      UNION ALL
      SELECT COALESCE(s.address, m.sender), 'sender', m.created_at, arrived_at, error_at, error_code
      FROM messages m LEFT JOIN senders s ON s.alias = m.sender WHERE m.sender IS NOT NULL
    ), latest AS (
      SELECT phone, role, (array_agg(error_code ORDER BY error_at DESC) FILTER (WHERE error_at IS NOT NULL))[1] AS error_code,
        max(error_at) AS error_at, max(arrived_at) AS arrived_at, min(created_at) AS first_at, max(created_at) AS last_at
      FROM told GROUP BY phone, role
    )
    INSERT INTO phone_delivery_performance AS p
      (phone, role, measures, last_error_code, last_error_at, last_delivered_at, first_message_at, last_message_at)
    SELECT l.phone, l.role, COALESCE(m.measures, '{}'), error_code, error_at, arrived_at, first_at, last_at
    FROM latest l LEFT JOIN measured m ON l.role = 'recipient' AND m.phone = l.phone
    ORDER BY l.phone, l.role
    ON CONFLICT (phone, role) DO UPDATE SET
      measures = CASE p.role WHEN 'recipient' THEN excluded.measures ELSE p.measures END,
      last_error_code = CASE WHEN p.last_error_at > excluded.last_error_at THEN p.last_error_code ELSE COALESCE(excluded.last_error_code, p.last_error_code) END,
      last_error_at = GREATEST(p.last_error_at, excluded.last_error_at),
      last_delivered_at = GREATEST(p.last_delivered_at, excluded.last_delivered_at),
      first_message_at = LEAST(p.first_message_at, excluded.first_message_at),
      last_message_at = GREATEST(p.last_message_at, excluded.last_message_at),
      updated_at = now()`;
}

/**
 * Forgets what is counted of a recipient, and that it is to be counted, once its messages are gone. Before that the next look at its messages
 * would bring it back. For a transaction of the caller. Safe to repeat. @returns how many rows held it
 */
export async function forgetPhone(tx: postgres.ISql, phone: string): Promise<number> {
  // No look is under way that has read the messages already and writes afterwards.
  await lockRollups(tx, 'wait');
  const counted = await tx`DELETE FROM phone_delivery_performance WHERE phone = ${phone} AND role = 'recipient'`;
  const noted = await tx`
    UPDATE changed_recipients SET recipients = array_remove(recipients, ${phone}) WHERE recipients @> ARRAY[${phone}]`;
  return counted.count + noted.count;
}
