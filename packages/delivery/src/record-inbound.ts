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
  /** When it was first heard of, ISO 8601: what it says was said then, however often Twilio repeats it. */
  receivedAt: string;
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
    const stored = new Set(rows.flatMap(({ sid, isNew }) => (isNew ? [sid] : [])));
    return rows.map(({ sid, at }) => ({ messageSid: sid, stored: stored.delete(sid), receivedAt: at.toISOString() }));
  });
}

function insertMessages(sql: postgres.ISql, batch: readonly InboundMessage[]) {
  const texts = (read: (message: InboundMessage) => string | null) => batch.map((message) => sanitizeText(read(message)));
  return sql<{ sid: string; at: Date; isNew: boolean }[]>`
    WITH received AS MATERIALIZED (
      SELECT r.sid, sender_address, recipient, service, r.body, r.media::jsonb AS media, r.button_text, r.button_payload, replied_to,
        r.profile_name, opt_out, r.details::jsonb AS details, position,
        min(r.at::timestamptz) OVER (PARTITION BY r.sid) AS at
      FROM unnest(
        ${texts((m) => m.messageSid)}::text[], ${texts((m) => m.to)}::text[], ${texts((m) => m.from)}::text[],
        ${texts((m) => m.messagingServiceSid)}::text[], ${texts((m) => m.body)}::text[], ${batch.map((m) => sanitizedJson(m.media))}::text[],
        ${texts((m) => m.buttonText)}::text[], ${texts((m) => m.buttonPayload)}::text[], ${texts((m) => m.repliedToSid)}::text[],
        ${texts((m) => m.profileName)}::text[], ${texts((m) => m.optOutType)}::text[],
        ${batch.map((m) => sanitizedJson(m.details))}::text[], ${texts((m) => m.receivedAt)}::text[]
      ) WITH ORDINALITY AS r (sid, sender_address, recipient, service, body, media, button_text, button_payload, replied_to, profile_name,
        opt_out, details, at, position)
    ), stored AS (
      INSERT INTO inbound_messages AS i (message_sid, to_address, from_address, messaging_service_sid, body, media, button_text,
        button_payload, replied_to_sid, profile_name, opt_out_type, details, received_at)
      SELECT DISTINCT ON (sid) sid, sender_address, recipient, service, body, media, button_text, button_payload, replied_to, profile_name,
        opt_out, details, at
      FROM received
      -- Both inserts in key order, so that two batches wait for each other instead of for ever.
      ORDER BY sid, position
      -- A START that Twilio repeats must not come after the STOP that followed it. Not read beforehand: another batch may be storing it now.
      ON CONFLICT (message_sid) DO UPDATE SET received_at = LEAST(i.received_at, excluded.received_at)
      -- xmax is who replaced or locked a row: nobody has, of one that was just inserted.
      RETURNING message_sid AS sid, i.received_at AS at, xmax = 0 AS is_new
    ), windows AS (
      INSERT INTO customer_service_windows AS w (sender_address, recipient, first_inbound_at, last_inbound_at)
      SELECT address, recipient, min(s.at), max(s.at)
      FROM received JOIN stored s USING (sid) CROSS JOIN LATERAL (VALUES (sender_address), (service)) a (address)
      WHERE address IS NOT NULL
      GROUP BY address, recipient
      ORDER BY address, recipient
      ON CONFLICT (sender_address, recipient) DO UPDATE SET
        first_inbound_at = LEAST(w.first_inbound_at, excluded.first_inbound_at),
        last_inbound_at = GREATEST(w.last_inbound_at, excluded.last_inbound_at)
      -- A message that is neither the first nor the last one would only rewrite the row.
      WHERE w.last_inbound_at < excluded.last_inbound_at OR w.first_inbound_at > excluded.first_inbound_at
    )
    SELECT r.sid, s.at, s.is_new AS "isNew" FROM received r JOIN stored s USING (sid) ORDER BY position`;
}
