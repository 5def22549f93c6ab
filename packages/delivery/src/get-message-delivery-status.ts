import { describeError as describeByTable } from '@tickmark/domain';
import { eq, inArray } from 'drizzle-orm';
import type { Database } from './database.ts';
import { describeSummary, type MessageSummary, type ShownError } from './describe-message.ts';
import { findMessage } from './find-message.ts';
import { findEndings } from './message-endings.ts';
import { buildTimeline, type TimelineEntry } from './message-timeline.ts';
import { auditLog, messageAttempts, messageStatusLogs, whatsappMessages } from './schema.ts';

/** The answer of `GET /v1/messages/:id`. */
export interface MessageDeliveryStatus extends MessageSummary {
  /** Null when it was redacted or never known. */
  content: MessageContent | null;
  timeline: TimelineEntry[];
}

export interface MessageContent {
  body: string | null;
  contentSid: string | null;
  contentVariables: Record<string, string> | null;
  mediaUrl: string | null;
}

export interface MessageDeliveryStatusDeps {
  db: Pick<Database, 'orm' | 'sql'>;
  /** The built-in table unless another one is given. */
  describeError?: (code: number) => ShownError;
}

/**
 * Everything about one message, named by our id or by any sid that one of its attempts had.
 *
 * @returns null when there is no such message
 */
export async function getMessageDeliveryStatus(
  { db, describeError = describeByTable }: MessageDeliveryStatusDeps,
  { idOrSid }: { idOrSid: string },
): Promise<MessageDeliveryStatus | null> {
  const row = await findMessage(db.orm, idOrSid);
  if (row === null) return null;
  const [attempts, audits, retries, endings] = await Promise.all([
    db.orm.select().from(messageAttempts).where(eq(messageAttempts.messageId, row.id)),
    db.orm
      .select()
      .from(auditLog)
      .where(inArray(auditLog.messageId, [row.id, ...(row.retryOf === null ? [] : [row.retryOf])])),
    db.orm.select({ id: whatsappMessages.id }).from(whatsappMessages).where(eq(whatsappMessages.retryOf, row.id)),
    findEndings(db, row),
  ]);
  const own = audits.filter(({ messageId }) => messageId === row.id);
  const asked = audits.find(
    ({ action, details }) => action === 'message_retried' && (details as { retry?: unknown } | null)?.retry === row.id,
  );
  // By sid, not by message id: the log has one index only, and every line of a message has one of its sids.
  const sids = [row, ...attempts].flatMap(({ messageSid }) => (messageSid === null ? [] : [messageSid]));
  const logs = await db.orm.select().from(messageStatusLogs).where(inArray(messageStatusLogs.messageSid, sids));
  return {
    ...describeSummary({ ...row, retriedBy: retries[0]?.id ?? null }, describeError),
    content: describeContent(row),
    timeline: buildTimeline({ row, attempts, logs, audits: own, endings, retriedBy: asked?.actor ?? null }),
  };
}

type MessageRow = typeof whatsappMessages.$inferSelect;

function describeContent({ body, contentSid, contentVariables, mediaUrl, contentKeyId }: MessageRow): MessageContent | null {
  // Ciphertext is no content: whoever has the keys shows it.
  if (contentKeyId !== null || (body === null && contentSid === null && mediaUrl === null)) return null;
  return {
    body,
    contentSid,
    contentVariables: contentVariables === null ? null : (JSON.parse(contentVariables) as Record<string, string>),
    mediaUrl,
  };
}
