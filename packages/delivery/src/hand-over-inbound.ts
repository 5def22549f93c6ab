import type { InboundMessage } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

/** Whoever stored a message hands it over at once; after so long nobody does any more. */
const FRESH_SECONDS = 10;

/** Messages that were stored and not handed to consumers, the oldest first. */
export function findNotHandedOver(db: Pick<Database, 'sql'>, { limit }: { limit: number }): Promise<InboundMessage[]> {
  return inStatement(db.sql, async (sql) => {
    const rows = await sql<(Omit<InboundMessage, 'receivedAt'> & { receivedAt: Date })[]>`
      SELECT message_sid AS "messageSid", from_address AS "from", to_address AS "to", messaging_service_sid AS "messagingServiceSid", body, media,
        button_text AS "buttonText", button_payload AS "buttonPayload", replied_to_sid AS "repliedToSid", profile_name AS "profileName",
        opt_out_type AS "optOutType", details, received_at AS "receivedAt"
      FROM inbound_messages
      WHERE handed_over_at IS NULL AND created_at < now() - ${FRESH_SECONDS} * interval '1 second'
      ORDER BY received_at, message_sid LIMIT ${limit}`;
    return rows.map((row) => ({ ...row, receivedAt: row.receivedAt.toISOString() }));
  });
}

/** Notes that consumers have been given these messages: to be done after it is true. Safe to repeat. */
export async function markHandedOver(db: Pick<Database, 'sql'>, messageSids: readonly string[]): Promise<void> {
  if (messageSids.length === 0) return;
  await inStatement(
    db.sql,
    (sql) => sql`
      UPDATE inbound_messages SET handed_over_at = now()
      WHERE handed_over_at IS NULL AND message_sid IN (
        -- In key order, so that two of these wait for each other instead of for ever.
        SELECT message_sid FROM inbound_messages WHERE message_sid = ANY (${[...messageSids]}::text[]) ORDER BY message_sid FOR NO KEY UPDATE)`,
  );
}
