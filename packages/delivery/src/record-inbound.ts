import type { InboundMessage } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { sanitizedJson, sanitizeText } from './sanitize-text.ts';
import { settleBatch } from './settle-batch.ts';

export interface InboundRecorded {
  messageSid: string;
  /** False when this MessageSid was stored before. */
  stored: boolean;
}

/**
 * Stores what people wrote, each MessageSid once, and renews the customer-service window of (sender, person) to the latest time. A message
 * that came through a Messaging Service renews the service's window too: what is sent from the service goes through one of its numbers,
 * most often the one that the person knows.
 *
 * Safe to repeat, in any order; answers are in the order of the messages.
 */
export function recordInbound(db: Pick<Database, 'sql'>, messages: readonly InboundMessage[]): Promise<Settled<InboundRecorded>[]> {
  return settleBatch(messages, async (batch) => {
    const rows = await inStatement(db.sql, (sql) => insertMessages(sql, batch));
    const stored = new Set(rows.map((row) => row.sid));
    return batch.map(({ messageSid }) => ({ messageSid, stored: stored.delete(sanitizeText(messageSid)) }));
  });
}

function insertMessages(sql: postgres.ISql, batch: readonly InboundMessage[]) {
  const texts = (read: (message: InboundMessage) => string | null) => batch.map((message) => sanitizeText(read(message)));
  return sql<{ sid: string }[]>`
    WITH received AS MATERIALIZED (
      SELECT sid, sender_address, recipient, service, body, media::jsonb AS media, button_text, button_payload, replied_to, profile_name,
        opt_out, at::timestamptz AS at, position
      FROM unnest(
        ${texts((m) => m.messageSid)}::text[], ${texts((m) => m.to)}::text[], ${texts((m) => m.from)}::text[],
        ${texts((m) => m.messagingServiceSid)}::text[], ${texts((m) => m.body)}::text[], ${batch.map((m) => sanitizedJson(m.media))}::text[],
        ${texts((m) => m.buttonText)}::text[], ${texts((m) => m.buttonPayload)}::text[], ${texts((m) => m.repliedToSid)}::text[],
        ${texts((m) => m.profileName)}::text[], ${texts((m) => m.optOutType)}::text[], ${texts((m) => m.receivedAt)}::text[]
      ) WITH ORDINALITY AS r (
        sid, sender_address, recipient, service, body, media, button_text, button_payload, replied_to, profile_name, opt_out, at, position)
    ), stored AS (
      INSERT INTO inbound_messages (message_sid, to_address, from_address, messaging_service_sid, body, media, button_text,
        button_payload, replied_to_sid, profile_name, opt_out_type, received_at)
      SELECT sid, sender_address, recipient, service, body, media, button_text, button_payload, replied_to, profile_name, opt_out, at
      FROM received
      -- Both inserts in key order, so that two batches wait for each other instead of for ever.
      ORDER BY sid, position
      ON CONFLICT (message_sid) DO NOTHING
      RETURNING message_sid AS sid
    ), windows AS (
      INSERT INTO customer_service_windows AS w (sender_address, recipient, first_inbound_at, last_inbound_at)
      SELECT address, recipient, min(at), max(at)
      FROM received CROSS JOIN LATERAL (VALUES (sender_address), (service)) a (address)
      WHERE address IS NOT NULL
      GROUP BY address, recipient
      ORDER BY address, recipient
      ON CONFLICT (sender_address, recipient) DO UPDATE SET
        first_inbound_at = LEAST(w.first_inbound_at, excluded.first_inbound_at),
        last_inbound_at = GREATEST(w.last_inbound_at, excluded.last_inbound_at)
      -- A message that is neither the first nor the last one would only rewrite the row.
      WHERE w.last_inbound_at < excluded.last_inbound_at OR w.first_inbound_at > excluded.first_inbound_at
    )
    SELECT sid FROM stored`;
}
