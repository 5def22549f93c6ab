import { MESSAGE_STATUSES, projectTwilioStatus, type MessageStatus } from './statuses.ts';

/** The part of a row that statuses of Twilio change. Times are milliseconds since 1970; null = that stage was never told. */
export interface StatusProjection {
  status: MessageStatus;
  errorCode: number | null;
  /** Both positive evidence (delivered, read) and a negative final status were seen. */
  contradicted: boolean;
  queuedAt: number | null;
  sentAt: number | null;
  deliveredAt: number | null;
  readAt: number | null;
  failedAt: number | null;
}

/**
 * The row after one status of Twilio: the reference that the SQL statement is tested against.
 *
 * The result does not depend on the order of events, nor on repetitions: the greatest (rank, status, error code) wins, each stage keeps
 * its earliest time, and a contradiction is seen from both sides. Unknown words change nothing.
 */
export function applyStatusEvent(
  row: StatusProjection,
  event: { rawStatus: string; errorCode: number | null; receivedAt: number },
): StatusProjection {
  const status = projectTwilioStatus(event.rawStatus);
  if (status === null) return row;
  const errorCode = isPositive(status) ? null : event.errorCode;
  const stage = STAGES[status];
  return {
    ...row,
    ...(compareProgress({ status, errorCode }, row) > 0 ? { status, errorCode } : {}),
    ...(stage ? { [stage]: Math.min(row[stage] ?? event.receivedAt, event.receivedAt) } : {}),
    contradicted: row.contradicted || (isPositive(status) && isNegative(row.status)) || (isNegative(status) && isPositive(row.status)),
  };
}

/** Total order of what a row may say: rank, then status by its bytes, then error code (none is lowest). Above 0 = a is further. */
export function compareProgress(
  a: { status: MessageStatus; errorCode: number | null },
  b: { status: MessageStatus; errorCode: number | null },
): number {
  const byRank = MESSAGE_STATUSES[a.status].rank - MESSAGE_STATUSES[b.status].rank;
  if (byRank !== 0) return byRank;
  if (a.status !== b.status) return a.status < b.status ? -1 : 1;
  if (a.errorCode === b.errorCode) return 0;
  return (a.errorCode ?? Number.NEGATIVE_INFINITY) < (b.errorCode ?? Number.NEGATIVE_INFINITY) ? -1 : 1;
}

const STAGES: Partial<Record<MessageStatus, 'queuedAt' | 'sentAt' | 'deliveredAt' | 'readAt' | 'failedAt'>> = {
  queued: 'queuedAt',
  sent: 'sentAt',
  delivered: 'deliveredAt',
  read: 'readAt',
  failed: 'failedAt',
  undelivered: 'failedAt',
  canceled: 'failedAt',
};

function isPositive(status: MessageStatus): boolean {
  return status === 'delivered' || status === 'read';
}

function isNegative(status: MessageStatus): boolean {
  return MESSAGE_STATUSES[status].final && !isPositive(status);
}
