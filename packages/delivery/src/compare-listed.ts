import { compareProgress, projectTwilioStatus, type ListedMessage, type MessageStatus } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

/**
 * What Twilio tells of a message, beside what we know: `further` than our row · `current` · `external`: no row of ours has the sid, and it is old enough
 * to be somebody else's for sure · `young`: none has it yet, and the record of our own call may still be under way.
 */
export type ListedComparison = 'further' | 'current' | 'external' | 'young';

export interface CompareOptions {
  /** A message that nobody here knows is somebody else's when it was created longer ago than this. */
  externalAfterSeconds: number;
}

/** Compares listed messages with our rows and attempts. @returns in the order of the messages */
export async function compareListed(
  db: Pick<Database, 'sql'>,
  messages: readonly Pick<ListedMessage, 'messageSid' | 'rawStatus' | 'errorCode' | 'createdAt'>[],
  { externalAfterSeconds }: CompareOptions,
): Promise<ListedComparison[]> {
  if (messages.length === 0) return [];
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ sid: string; status: MessageStatus | null; errorCode: number | null; isKnown: boolean; isOld: boolean }[]>`
      SELECT l.sid, COALESCE(m.status, a.status) AS status, CASE WHEN m.id IS NULL THEN a.error_code ELSE m.error_code END AS "errorCode",
        m.id IS NOT NULL OR a.message_id IS NOT NULL AS "isKnown",
        l.created_at::timestamptz < now() - ${externalAfterSeconds} * interval '1 second' AS "isOld"
      FROM unnest(${messages.map(({ messageSid }) => messageSid)}::text[], ${messages.map(({ createdAt }) => createdAt.toISOString())}::text[])
        AS l (sid, created_at)
        LEFT JOIN whatsapp_messages m ON m.message_sid = l.sid
        LEFT JOIN message_attempts a ON a.message_sid = l.sid`,
  );
  const known = new Map(rows.map((row) => [row.sid, row]));
  return messages.map(({ messageSid, rawStatus, errorCode }) => {
    const row = known.get(messageSid);
    if (row?.isKnown !== true) return row?.isOld === true ? 'external' : 'young';
    return isFurther({ rawStatus, errorCode }, { status: row.status ?? 'queued', errorCode: row.errorCode }) ? 'further' : 'current';
  });
}

/** Whether a word of Twilio says more than a row knows. A word that we do not know says nothing. */
export function isFurther(
  { rawStatus, errorCode }: Pick<ListedMessage, 'rawStatus' | 'errorCode'>,
  known: { status: MessageStatus; errorCode: number | null },
): boolean {
  const status = projectTwilioStatus(rawStatus);
  if (status === null) return false;
  const hasArrived = status === 'delivered' || status === 'read';
  return compareProgress({ status, errorCode: hasArrived ? null : errorCode }, known) > 0;
}
