import { projectTwilioStatus, rankOf, type StatusEvent } from '@tickmark/domain';
import postgres from 'postgres';

/** Measured with 8, 16, 32 and 64: more share a disk write of Postgres, until they stand in each other's way. */
const CONNECTIONS = 32;

export interface CallbackApplier {
  /** One callback, one statement, hence one transaction: the log and the guarded row. */
  applyOne(event: StatusEvent): Promise<unknown>;
  /** Many callbacks in one statement, those of one message merged before. */
  applyMany(events: readonly StatusEvent[]): Promise<unknown>;
}

/**
 * The least that keeps our schema right: the same log, the same rank guard. It is less than ours in what it need not do here: it knows no
 * rows but those that are there, binds no sids, keeps no stage time of a callback that was overtaken, and tells nobody what changed.
 */
export function createCallbackApplier(): CallbackApplier {
  const sql = postgres(process.env['DATABASE_URL'] ?? '', {
    max: CONNECTIONS,
    onnotice: () => {},
    connection: { synchronous_commit: 'on', enable_seqscan: false },
  });
  return {
    applyOne: (event) => {
      const { status, rank } = projectionOf(event);
      return sql`
        WITH logged AS (
          INSERT INTO message_status_logs (message_sid, status, error_code, message_id, attempt, source, received_at)
          VALUES (${event.messageSid}, ${event.rawStatus}, ${event.errorCode}, ${event.messageId}, ${event.attempt}, 'callback',
            ${event.receivedAt})
          ON CONFLICT DO NOTHING
        )
        UPDATE whatsapp_messages SET status = ${status}, rank = ${rank}, updated_at = now(),
          sent_at = CASE ${status} WHEN 'sent' THEN ${event.receivedAt}::timestamptz ELSE sent_at END,
          delivered_at = CASE ${status} WHEN 'delivered' THEN ${event.receivedAt}::timestamptz ELSE delivered_at END,
          read_at = CASE ${status} WHEN 'read' THEN ${event.receivedAt}::timestamptz ELSE read_at END
        WHERE message_sid = ${event.messageSid} AND rank < ${rank}`;
    },
    applyMany: (events) => applyMany(sql, events),
  };
}

function applyMany(sql: postgres.Sql, events: readonly StatusEvent[]): Promise<unknown> {
  const furthest = new Map<string, { event: StatusEvent; status: string; rank: number }>();
  for (const event of events) {
    const projection = projectionOf(event);
    if (projection.rank > (furthest.get(event.messageSid)?.rank ?? -1)) furthest.set(event.messageSid, { event, ...projection });
  }
  const rows = [...furthest.values()];
  const texts = (read: (event: StatusEvent) => string | null) => events.map(read);
  return sql`
    WITH logged AS (
      INSERT INTO message_status_logs (message_sid, status, error_code, message_id, attempt, source, received_at)
      SELECT message_sid, status, error_code, message_id, attempt, 'callback', received_at::timestamptz
      FROM unnest(${texts((event) => event.messageSid)}::text[], ${texts((event) => event.rawStatus)}::text[],
        ${events.map((event) => event.errorCode)}::int[], ${texts((event) => event.messageId)}::uuid[],
        ${events.map((event) => event.attempt)}::int[], ${texts((event) => event.receivedAt)}::text[])
        AS l (message_sid, status, error_code, message_id, attempt, received_at)
      ON CONFLICT DO NOTHING
    )
    UPDATE whatsapp_messages m SET status = e.status, rank = e.rank, updated_at = now(),
      sent_at = CASE e.status WHEN 'sent' THEN e.at::timestamptz ELSE m.sent_at END,
      delivered_at = CASE e.status WHEN 'delivered' THEN e.at::timestamptz ELSE m.delivered_at END,
      read_at = CASE e.status WHEN 'read' THEN e.at::timestamptz ELSE m.read_at END
    FROM unnest(${rows.map(({ event }) => event.messageSid)}::text[], ${rows.map(({ status }) => status)}::text[],
      ${rows.map(({ rank }) => rank)}::smallint[], ${rows.map(({ event }) => event.receivedAt)}::text[]) AS e (sid, status, rank, at)
    WHERE m.message_sid = e.sid AND m.rank < e.rank`;
}

function projectionOf(event: StatusEvent): { status: string; rank: number } {
  const status = projectTwilioStatus(event.rawStatus) ?? 'queued';
  return { status, rank: rankOf(status) };
}
