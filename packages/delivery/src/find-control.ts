import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';

/** A message that Twilio certainly has: a list that does not show it shows nothing reliably. */
export interface ControlMessage {
  messageSid: string;
  recipient: string;
  claimedAt: Date;
}

/**
 * A message of the same sender and time (within `withinSeconds`) whose sid we know by its own call or callback, for the positive control of
 * an absence. One from after that time is better: a list that shows it has caught up with it. The rows are walked by their creation, from
 * that time outwards, because that has an index.
 *
 * @returns null when the sender has none; then no absence can be proven
 */
export async function findControl(
  db: Pick<Database, 'sql'>,
  { senderAddress, at, withinSeconds }: { senderAddress: string; at: Date; withinSeconds: number },
): Promise<ControlMessage | null> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<ControlMessage[]>`
      WITH controls AS (
        (SELECT message_sid, recipient, claimed_at FROM whatsapp_messages
        WHERE created_at >= ${at}::timestamptz AND created_at < ${at}::timestamptz + ${withinSeconds} * interval '1 second'
          AND ${isControl(sql, senderAddress, at, withinSeconds)}
        ORDER BY created_at LIMIT 1)
        UNION ALL
        (SELECT message_sid, recipient, claimed_at FROM whatsapp_messages
        WHERE created_at < ${at}::timestamptz AND created_at > ${at}::timestamptz - ${withinSeconds} * interval '1 second'
          AND ${isControl(sql, senderAddress, at, withinSeconds)}
        ORDER BY created_at DESC LIMIT 1)
      )
      SELECT message_sid AS "messageSid", recipient, claimed_at AS "claimedAt"
      FROM controls
      ORDER BY claimed_at < ${at}::timestamptz
      LIMIT 1`,
  );
  return row ?? null;
}

function isControl(sql: postgres.ISql, senderAddress: string, at: Date, withinSeconds: number) {
  return sql`sender_address = ${senderAddress} AND sid_source IN ('record', 'callback') AND origin <> 'external' AND recipient IS NOT NULL
    AND abs(extract(epoch FROM claimed_at - ${at}::timestamptz)) <= ${withinSeconds}`;
}
