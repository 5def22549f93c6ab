import type { ErrorClass, MessageStatus, Priority } from '@tickmark/domain';
import type postgres from 'postgres';
import type { whatsappMessages } from './schema.ts';

/** What the error table says about a code, as far as an answer shows it. */
export interface ShownError {
  code: number;
  class: ErrorClass;
  meaning: string;
  cause: string;
  remedy: string;
}

/** A message as every answer shows it. Absent is null, never left out; times are ISO 8601 in UTC. */
export interface MessageSummary {
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
}

/** What a summary is made of; `retriedBy` is the id of the row that retries it. */
export type SummaryRow = Pick<
  typeof whatsappMessages.$inferSelect,
  Exclude<keyof MessageSummary, 'from' | 'to' | 'error' | 'retriedBy'> | 'senderAddress' | 'recipient'
> & { retriedBy: string | null };

/** The columns of a {@link SummaryRow}, of the table `m`. */
export function summaryColumns(sql: postgres.ISql) {
  return sql`m.id, m.status, m.message_sid AS "messageSid", m.sender, m.sender_address AS "senderAddress", m.recipient, m.producer, m.origin,
    m.campaign, m.priority, m.on_unknown AS "onUnknown", m.attempts, m.error_code AS "errorCode", m.contradicted,
    m.created_at AS "createdAt", m.send_at AS "sendAt", m.queued_at AS "queuedAt", m.sent_at AS "sentAt",
    m.delivered_at AS "deliveredAt", m.read_at AS "readAt", m.failed_at AS "failedAt", m.retry_of AS "retryOf", m.metadata,
    (SELECT r.id FROM whatsapp_messages r WHERE r.retry_of = m.id) AS "retriedBy"`;
}

export function describeSummary(row: SummaryRow, describeError: (code: number) => ShownError): MessageSummary {
  return {
    id: row.id,
    // A CHECK of the table keeps these four to the words of their types.
    status: row.status as MessageStatus,
    priority: row.priority as Priority,
    onUnknown: row.onUnknown as MessageSummary['onUnknown'],
    origin: row.origin as MessageSummary['origin'],
    messageSid: row.messageSid,
    sender: row.sender,
    from: row.senderAddress,
    to: row.recipient,
    producer: row.producer,
    campaign: row.campaign,
    attempts: row.attempts,
    errorCode: row.errorCode,
    error: row.errorCode === null ? null : pickShown(describeError(row.errorCode)),
    contradicted: row.contradicted,
    createdAt: row.createdAt.toISOString(),
    sendAt: toIso(row.sendAt),
    queuedAt: toIso(row.queuedAt),
    sentAt: toIso(row.sentAt),
    deliveredAt: toIso(row.deliveredAt),
    readAt: toIso(row.readAt),
    failedAt: toIso(row.failedAt),
    retryOf: row.retryOf,
    retriedBy: row.retriedBy,
    metadata: row.metadata,
  };
}

/** Field by field: a table entry may hold more than an answer shows. */
function pickShown({ code, class: errorClass, meaning, cause, remedy }: ShownError): ShownError {
  return { code, class: errorClass, meaning, cause, remedy };
}

function toIso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
