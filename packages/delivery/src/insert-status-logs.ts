import type { StatusEvent } from '@tickmark/domain';
import type postgres from 'postgres';

/** One line of the log: an event, and the row and attempt that it was found to belong to. */
export interface StatusLogLine {
  event: StatusEvent;
  messageId: string;
  attempt: number | null;
}

/** What makes two events the same line of the log. */
export function logKey({ messageSid, rawStatus, errorCode }: Pick<StatusEvent, 'messageSid' | 'rawStatus' | 'errorCode'>): string {
  return `${messageSid} ${errorCode ?? ''} ${rawStatus}`;
}

/** Adds the lines that the log does not have; each key once. @returns the keys that were really added */
export async function insertStatusLogs(tx: postgres.ISql, lines: readonly StatusLogLine[]): Promise<Set<string>> {
  const unique = [...new Map(lines.toReversed().map((line) => [logKey(line.event), line])).values()];
  const texts = (read: (line: StatusLogLine) => string | null) => unique.map(read);
  const rows = await tx<Pick<StatusEvent, 'messageSid' | 'rawStatus' | 'errorCode'>[]>`
    INSERT INTO message_status_logs
      (message_sid, status, error_code, message_id, attempt, source, channel_status_message, received_at)
    SELECT message_sid, status, error_code, message_id, attempt, source, channel_status_message, received_at::timestamptz
    FROM unnest(
      ${texts(({ event }) => event.messageSid)}::text[], ${texts(({ event }) => event.rawStatus)}::text[],
      ${unique.map(({ event }) => event.errorCode)}::int[], ${texts((line) => line.messageId)}::uuid[],
      ${unique.map((line) => line.attempt)}::int[], ${texts(({ event }) => event.source)}::text[],
      ${texts(({ event }) => event.channelStatusMessage)}::text[], ${texts(({ event }) => event.receivedAt)}::text[]
    ) AS l (message_sid, status, error_code, message_id, attempt, source, channel_status_message, received_at)
    -- In key order, so that two batches with the same lines wait for each other instead of for ever.
    ORDER BY message_sid, status, error_code
    ON CONFLICT (message_sid, status, error_code) DO NOTHING
    RETURNING message_sid AS "messageSid", status AS "rawStatus", error_code AS "errorCode"`;
  return new Set(rows.map(logKey));
}
