import type { ErrorClass, MessageStatus, Priority } from '@tickmark/domain';
import { eq, inArray } from 'drizzle-orm';
import type { Database } from './database.ts';
import { findMessage } from './find-message.ts';
import { buildTimeline, type TimelineEntry } from './message-timeline.ts';
import { auditLog, messageAttempts, messageStatusLogs, whatsappMessages } from './schema.ts';

/** What the error table says about a code, as far as an answer shows it. */
export interface ShownError {
  code: number;
  class: ErrorClass;
  meaning: string;
  cause: string;
  remedy: string;
}

/** The answer of `GET /v1/messages/:id`. Absent is null, never left out; times are ISO 8601 in UTC. */
export interface MessageDeliveryStatus {
  id: string;
  status: MessageStatus;
  messageSid: string | null;
  /** Alias; null when none of our senders sent it. */
  sender: string | null;
  from: string | null;
  to: string | null;
  producer: string | null;
  origin: 'api' | 'retry' | 'external' | 'recovered';
  campaign: string | null;
  priority: Priority;
  onUnknown: 'hold' | 'resend';
  attempts: number;
  errorCode: number | null;
  error: ShownError | null;
  contradicted: boolean;
  createdAt: string;
  sendAt: string | null;
  queuedAt: string | null;
  sentAt: string | null;
  deliveredAt: string | null;
  readAt: string | null;
  failedAt: string | null;
  retryOf: string | null;
  retriedBy: string | null;
  metadata: Record<string, string> | null;
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
  db: Pick<Database, 'orm'>;
  describeError: (code: number) => ShownError;
}

/**
 * Everything about one message, named by our id or by any sid that one of its attempts had.
 *
 * @returns null when there is no such message
 */
export async function getMessageDeliveryStatus(
  { db, describeError }: MessageDeliveryStatusDeps,
  { idOrSid }: { idOrSid: string },
): Promise<MessageDeliveryStatus | null> {
  const row = await findMessage(db.orm, idOrSid);
  if (row === null) return null;
  const [attempts, audits, retries] = await Promise.all([
    db.orm.select().from(messageAttempts).where(eq(messageAttempts.messageId, row.id)),
    db.orm.select().from(auditLog).where(eq(auditLog.messageId, row.id)),
    db.orm.select({ id: whatsappMessages.id }).from(whatsappMessages).where(eq(whatsappMessages.retryOf, row.id)),
  ]);
  // By sid, not by message id: the log has one index only, and every line of a message has one of its sids.
  const sids = [row, ...attempts].flatMap(({ messageSid }) => (messageSid === null ? [] : [messageSid]));
  const logs = await db.orm.select().from(messageStatusLogs).where(inArray(messageStatusLogs.messageSid, sids));
  return {
    ...describeRow(row),
    error: row.errorCode === null ? null : pickShown(describeError(row.errorCode)),
    retriedBy: retries[0]?.id ?? null,
    timeline: buildTimeline({ row, attempts, logs, audits }),
  };
}

type MessageRow = typeof whatsappMessages.$inferSelect;

function describeRow(row: MessageRow): Omit<MessageDeliveryStatus, 'error' | 'retriedBy' | 'timeline'> {
  return {
    id: row.id,
    // A CHECK of the table keeps these four to the words of their types.
    status: row.status as MessageStatus,
    priority: row.priority as Priority,
    onUnknown: row.onUnknown as MessageDeliveryStatus['onUnknown'],
    origin: row.origin as MessageDeliveryStatus['origin'],
    messageSid: row.messageSid,
    sender: row.sender,
    from: row.senderAddress,
    to: row.recipient,
    producer: row.producer,
    campaign: row.campaign,
    attempts: row.attempts,
    errorCode: row.errorCode,
    contradicted: row.contradicted,
    createdAt: (row.acceptedAt ?? row.createdAt).toISOString(),
    sendAt: toIso(row.sendAt),
    queuedAt: toIso(row.queuedAt),
    sentAt: toIso(row.sentAt),
    deliveredAt: toIso(row.deliveredAt),
    readAt: toIso(row.readAt),
    failedAt: toIso(row.failedAt),
    retryOf: row.retryOf,
    metadata: row.metadata,
    content: describeContent(row),
  };
}

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

/** Field by field: a table entry may hold more than an answer shows. */
function pickShown({ code, class: errorClass, meaning, cause, remedy }: ShownError): ShownError {
  return { code, class: errorClass, meaning, cause, remedy };
}

function toIso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
